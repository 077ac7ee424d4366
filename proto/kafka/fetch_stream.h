// Decodes a Fetch response while it arrives. All bytes are received straight into slabs; what is not records is parsed
// where it lies, and each record batch is offered, as slices of the same slabs, when its last byte is there. Nothing
// holds a whole frame, and nothing is copied but 61-byte headers.
// Sans-io: the owner reads from its stream into want() and reports by filled(). Executor: that of the slabs.
// Source: Fetch response, versions 4-18 (schema/fetch.schema; partitions must be read in wire order).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/budget.h"
#include "proto/batch/batch.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/wire.h"

namespace farshore::kafka {

struct FetchTopic {
  std::string name;  // versions 4-12
  Uuid id;           // versions 13+
};

// Called in wire order, from inside filled(). Must not destroy the decoder.
class FetchVisitor {
 public:
  using Partition = FetchResponse::PartitionData;
  virtual ~FetchVisitor() = default;
  // throttle_time_ms, error_code and session_id are set.
  virtual void on_response(const FetchResponse& head) = 0;
  // Everything that stands before the records; the tagged fields come with on_partition_end.
  virtual void on_partition(const FetchTopic& topic, const Partition& partition, size_t records_bytes) = 0;
  // A batch begins; its bytes are still coming.
  virtual void on_batch_header(const BatchHeader&) {}
  // Whole batches of the current partition, as soon as they are whole. CRCs are not checked.
  virtual void on_batches(BatchRun run) = 0;
  // The rest of this partition's records cannot be v2 batches, or is larger than allowed; it is skipped.
  virtual void on_bad_records(Error error) = 0;
  // The same struct, now with diverging_epoch, current_leader, snapshot_id. `cut_bytes`: a batch that the broker cut
  // off at its size limit, left out.
  virtual void on_partition_end(const FetchTopic& topic, const Partition& partition, size_t cut_bytes) = 0;
  virtual void on_response_end(const std::vector<FetchResponse::NodeEndpoint>& endpoints) = 0;
};

struct FetchDecodeLimits {
  size_t batch_bytes_max = 100 << 20;
  size_t element_bytes_max = 4 << 20;  // what stands between two records fields (aborted transactions, names, tags)
};

class FetchDecoder {
 public:
  // `body_bytes`: of the response after the correlation id (response header tags included). `budget` may be null: each
  // BatchRun then holds no token. All references must outlive the decoder.
  FetchDecoder(int16_t version, size_t body_bytes, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
               FetchDecodeLimits limits = {});

  bool done() const { return stage_ == Stage::kDone; }
  size_t bytes_left() const { return left_; }  // of the response, not yet received

  struct Want {
    MutableBytes into;  // empty when done
    size_t bytes_min;   // fewer decide nothing: a reader may sleep until so many are there
  };
  Want want();
  // `size` bytes of the last want() are filled: decodes what they complete. An error is final (kCorrupt,
  // kResourceExhausted): the connection is of no use any more.
  Status filled(size_t size);

 private:
  enum class Stage : uint8_t { kHead, kTopic, kPartition, kRecords, kPartitionEnd, kResponseEnd, kDone };
  enum class Step : uint8_t { kGoOn, kNeedMore };

  Result<Step> step();
  Result<Step> records_step();
  // Parses one element at the front of pending_, whole or not at all.
  template <class Parse>
  Result<Step> element(Parse parse);
  void after_partition();
  void after_topic();
  void flush_run();
  void drop_front(size_t size);
  Status check_count(int64_t count, size_t bytes_min, const char* what) const;
  size_t body_rest() const { return left_ + pending_.size(); }

  const int16_t version_;
  const bool flexible_;
  const FetchDecodeLimits limits_;
  SlabWriter& slabs_;
  Budget* const budget_;
  FetchVisitor& visitor_;

  Stage stage_ = Stage::kHead;
  size_t left_;          // bytes not received yet
  SliceList pending_;    // received, not decoded
  size_t parse_at_ = 0;  // do not try to parse again before so many bytes are pending
  Bytes straddling_;     // an element that lies in two slabs
  int64_t topics_left_ = 0, partitions_left_ = 0;
  FetchTopic topic_;
  FetchVisitor::Partition partition_;
  std::vector<FetchResponse::NodeEndpoint> endpoints_;
  size_t records_left_ = 0;  // of the current field, pending ones included
  size_t cut_bytes_ = 0;
  bool skipping_ = false;              // bad records
  std::optional<BatchHeader> header_;  // of the batch at records_at_
  BatchRun run_;                       // whole batches, not yet handed out; its bytes are at the front of pending_
  size_t run_bytes_ = 0;
};

}  // namespace farshore::kafka
