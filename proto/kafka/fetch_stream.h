// FetchDecoder: decodes a Fetch response while it arrives. All bytes are received into slabs. Fields are parsed where
// they lie, and a record batch is handed out, as slices of the same slabs, as soon as its last byte is there. No frame
// is held as a whole, and only the 61-byte batch headers are copied. The decoder does no I/O: its owner reads from a
// stream into want() and calls filled(). Executor: that of the slabs. Source: Fetch response, versions 4-18
// (schema/fetch.schema).
#pragma once

#include <memory>
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

// Receives the parts of a response, in wire order, from inside filled(). It must not destroy the decoder.
class FetchVisitor {
 public:
  using Partition = FetchResponse::PartitionData;
  virtual ~FetchVisitor() = default;
  // In `head` throttle_time_ms, error_code and session_id are set.
  virtual void on_response(const FetchResponse& head) = 0;
  // `partition` has the fields that stand before the records; its tagged fields come with on_partition_end.
  virtual void on_partition(const FetchTopic& topic, const Partition& partition, size_t records_bytes) = 0;
  // A batch begins; its bytes are still coming.
  virtual void on_batch_header(const BatchHeader&) {}
  // Whole batches of the current partition. Their CRCs are not checked.
  virtual void on_batches(BatchRun run) = 0;
  // The rest of this partition's records is skipped: it holds no v2 batches, or a batch larger than allowed.
  virtual void on_bad_records(Error error) = 0;
  // The same partition, now with diverging_epoch, current_leader and snapshot_id. `cut_bytes`: bytes of a last batch
  // that the broker cut off at its size limit; it was not handed out.
  virtual void on_partition_end(const FetchTopic& topic, const Partition& partition, size_t cut_bytes) = 0;
  virtual void on_response_end(const std::vector<FetchResponse::NodeEndpoint>& endpoints) = 0;
};

struct FetchDecodeLimits {
  size_t batch_bytes_max = 100 << 20;
  size_t element_bytes_max = 4 << 20;  // of the fields between two `records` fields (names, aborted transactions)
};

enum class DecodeStep : uint8_t;
class ArrivingBytes;
class RecordsSplitter;

class FetchDecoder {
 public:
  // `body_bytes`: of the response after the correlation id, the header's tagged fields included. If `budget` is null, a
  // BatchRun holds no part of a budget. All references must outlive the decoder.
  FetchDecoder(int16_t version, size_t body_bytes, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
               FetchDecodeLimits limits = {});

  ~FetchDecoder();
  FetchDecoder(const FetchDecoder&) = delete;
  FetchDecoder& operator=(const FetchDecoder&) = delete;

  bool done() const { return stage_ == Stage::kDone; }
  size_t bytes_left() const;  // of the response, not received yet

  struct Want {
    MutableBytes into;  // empty when done
    size_t bytes_min;   // fewer bytes complete nothing, so a reader may sleep until this many are there
  };
  Want want();
  // The first `size` bytes of the last want() are filled. Decodes what they complete. After an error the connection
  // cannot be used any more (kCorrupt, kResourceExhausted).
  Status filled(size_t size);

 private:
  enum class Stage : uint8_t { kHead, kTopic, kPartition, kRecords, kPartitionEnd, kTopicEnd, kResponseEnd, kDone };

  Result<DecodeStep> step();
  Result<DecodeStep> read_head();
  Result<DecodeStep> read_topic();
  Result<DecodeStep> read_partition();
  Result<DecodeStep> read_records();
  Result<DecodeStep> read_partition_end();
  Result<DecodeStep> read_topic_end();
  Result<DecodeStep> read_response_end();
  Status check_count(int64_t count, size_t bytes_min, const char* what) const;

  const int16_t version_;
  const bool flexible_;
  FetchVisitor& visitor_;
  const std::unique_ptr<ArrivingBytes> bytes_;
  const std::unique_ptr<RecordsSplitter> records_;

  Stage stage_ = Stage::kHead;
  int64_t topics_left_ = 0, partitions_left_ = 0;
  FetchTopic topic_;
  FetchVisitor::Partition partition_;
  std::vector<FetchResponse::NodeEndpoint> endpoints_;
};

}  // namespace farshore::kafka
