// FencedWriter: appends keyed records to one partition of a compacted topic under the producer identity that fence()
// returned (proto/kafka/client/fence.h). Writes are idempotent (KIP-98) and without a transaction; one batch is in
// flight at a time, in the order of the calls.
// If the answer to a batch is lost, the same bytes with the same sequence are sent again until the deadline. The
// batch's timestamps are recent, so the broker still remembers the producer and drops duplicates. If the outcome is
// unknown at the deadline, the writer fails for good: take the partition over again and read what it holds. Executor:
// the Env's. Calls wait for each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/producer_identity.h"

namespace farshore::kafka {

struct KeyedRecord {
  std::string key;
  std::optional<std::string> value;  // nullopt: a tombstone
};

class FencedWriter {
 public:
  // `env` and `cluster` must outlive the writer. `owner`: of the latest fence() of `partition`.
  FencedWriter(Env& env, ClusterClient& cluster, TopicPartition partition, ProducerIdentity owner)
      : env_(env), cluster_(cluster), partition_(std::move(partition)), owner_(owner), turn_(env) {}

  const TopicPartition& partition() const { return partition_; }
  ProducerIdentity owner() const { return owner_; }
  bool usable() const { return failure_.code == farshore::ErrorCode::kNone; }

  // Appends all records as one batch, so either all or none are written, and returns the offset of the first. They are
  // durable then: all in-sync replicas have acknowledged them.
  // kInvalidArgument: the broker refuses the batch as too large, and nothing was written. kFenced: a newer owner has
  // the partition. kAmbiguous: the batch may have been written. After any error but kInvalidArgument every later call
  // returns the same error.
  Task<Result<Offset>> append(std::vector<KeyedRecord> records, Deadline deadline);

 private:
  struct Answer {
    int16_t error_code = 0;
    Offset base;
  };
  std::vector<std::byte> batch_of(const std::vector<KeyedRecord>& records);
  Task<Result<Answer>> attempt(ConstBytes batch, Deadline deadline);

  Env& env_;
  ClusterClient& cluster_;
  const TopicPartition partition_;
  const ProducerIdentity owner_;
  AsyncMutex turn_;
  int32_t sequence_ = 0;
  Error failure_;
};

}  // namespace farshore::kafka
