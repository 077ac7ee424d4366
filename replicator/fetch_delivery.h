// FetchDelivery: hands one response of a fetch session to the pumps, batch by batch, while it is still arriving. What
// follows from it (another leader, an error, a position out of range) is the fetcher's to decide.
// Every callback finds its partition anew: pumps may be removed while a response arrives.
#pragma once

#include <string>

#include "proto/kafka/fetch_stream.h"
#include "replicator/fetch_session.h"
#include "replicator/pump.h"

namespace farshore::replicator {

// A partition that the session reads.
struct FetchedPartition {
  PartitionPump* pump = nullptr;
  FetchSession::Partition at;
  FetchSession::Member session;
};

// The data that the source sent for one partition, once its part of the response is complete.
struct FetchOutcome {
  int16_t error_code = 0;   // Kafka's
  uint32_t generation = 0;  // of the pump, when it was asked for
  SourceState source;
  LogEpoch diverging_epoch{-1};  // with diverging_end
  int64_t diverging_end = -1;    // >= 0: the source has another history
  Error bad;                     // bytes that cannot be batches; kNone: there were none
  bool cut = false;              // a batch did not fit into the response
  bool handed_on = false;        // batches were handed to the pump
  SourceOffset first, next;      // of the batches: [first, next). Without any, `next` is the position asked for
  size_t bytes = 0;              // of them
};

class FetchDeliveryOwner {
 public:
  virtual ~FetchDeliveryOwner() = default;
  // Null: the partition is not read here any more.
  virtual FetchedPartition* fetched_partition(const TopicId& id, int32_t partition) = 0;
  // For brokers too old for ids; zero: not known.
  virtual TopicId topic_id_of(const std::string& name) = 0;
  virtual MonoTime fetch_time() = 0;
  virtual void fetch_received(size_t bytes) = 0;                  // of records
  virtual void fetch_handed_on(FetchedPartition& partition) = 0;  // batches, to its pump
  virtual void fetch_ended(FetchedPartition& partition, const FetchOutcome& outcome) = 0;
};

class FetchDelivery final : public kafka::FetchVisitor {
 public:
  explicit FetchDelivery(FetchDeliveryOwner& owner) : owner_(owner) {}
  int16_t error_code() const { return error_code_; }  // of the whole response
  int32_t session_id() const { return session_id_; }

  void on_response(const kafka::FetchResponse& head) override;
  void on_partition(const kafka::FetchTopic& topic, const Partition& partition, size_t records_bytes) override;
  void on_batches(BatchRun run) override;
  void on_bad_records(Error error) override { outcome_.bad = std::move(error); }
  void on_partition_end(const kafka::FetchTopic& topic, const Partition& partition, size_t cut_bytes) override;
  void on_response_end(const std::vector<kafka::FetchResponse::NodeEndpoint>&) override {}

 private:
  FetchedPartition* current() { return owner_.fetched_partition(topic_, partition_); }
  FetchDeliveryOwner& owner_;
  int16_t error_code_ = 0;
  int32_t session_id_ = 0;
  TopicId topic_;
  int32_t partition_ = -1;
  FetchOutcome outcome_;
};

}  // namespace farshore::replicator
