// RelayScan: what of ours stands between two offsets of a target partition. Read as a consumer does, and only headers
// of our own batches are kept, so that a scan over other people's data costs no memory.
#pragma once

#include <vector>

#include "proto/kafka/fetch_stream.h"
#include "replicator/relay_evidence.h"

namespace farshore::replicator {

// What is to be looked at: from `from` on until our own abort marker was seen, and at least up to `to_min`.
struct RelayScanRange {
  TopicPartition at;
  TargetOffset from, to_min;
  RelayProducer owner;
  std::vector<RelayAnchor> anchors;  // whose producers are ours
  bool wait_for_marker = true;       // false only for a planted bug
};

struct RelayScan {
  TargetOffset from, to;  // `from` is higher than asked if the target deleted what stood there
  TargetOffset marker;
  LeadershipEpoch epoch{-1};  // of the leader that wrote the marker
  // In offset order; what follows each other without a gap or an anchor in between is one.
  std::vector<SeenBatch> seen;
};

// Takes what one Fetch brings; `scan` goes on from answer to answer.
class ScanVisitor final : public kafka::FetchVisitor {
 public:
  static constexpr size_t kSeenMax = 1 << 20;  // pieces of ours, between foreign ones

  ScanVisitor(const RelayScanRange& range, RelayScan& scan) : range_(range), scan_(scan) {}

  bool marker_seen() const { return marker_seen_; }
  bool overtaken() const { return overtaken_; }       // a newer owner has written
  int16_t error_code() const { return error_code_; }  // of Kafka, of the last answer
  const Error& bad() const { return bad_; }           // bytes that are no batches; too many pieces
  void begin_answer() { error_code_ = 0; }

  void on_response(const kafka::FetchResponse& head) override;
  void on_partition(const kafka::FetchTopic& topic, const Partition& partition, size_t records_bytes) override;
  void on_batches(BatchRun run) override;
  void on_bad_records(Error error) override { bad_ = std::move(error); }
  void on_partition_end(const kafka::FetchTopic&, const Partition&, size_t) override {}
  void on_response_end(const std::vector<kafka::FetchResponse::NodeEndpoint>&) override {}

 private:
  void add(const BatchHeader& batch);
  bool ours(int64_t producer) const;
  bool anchored_at(const BatchHeader& batch) const;

  const RelayScanRange& range_;
  RelayScan& scan_;
  bool marker_seen_ = false, overtaken_ = false;
  int16_t error_code_ = 0;
  Error bad_;
};

}  // namespace farshore::replicator
