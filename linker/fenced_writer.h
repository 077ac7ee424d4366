// FencedWriter: appends small keyed records to one partition of a compacted topic, as the one producer that a fence let
// in (proto/kafka/client/fence.h): idempotent, in order, one batch at a time, without a transaction.
// A batch whose answer is lost is sent again, the same bytes with the same sequence, until the deadline: its timestamps
// are now, so that the target still knows the producer (correctness C3). If it is still in doubt then, the writer is of
// no use any more: take over again and read what is there.
// Executor: the Env's. Calls wait for each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "base/env.h"
#include "offsets/translation/types.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::linker {

struct KeyedRecord {
  std::string key;
  std::optional<std::string> value;  // none: a tombstone
};

// A topic of this kind as the cluster shows it. Made if it is not there: compacted, compression.type=producer, the
// cluster's default replication. kConflict: it is there, and not compacted, or with fewer partitions (says what to do).
struct CompactedTopic {
  std::string cluster_id, name;
  TopicId id;
  int32_t partitions = 0;
};
Task<Result<CompactedTopic>> ensure_compacted_topic(kafka::ClusterClient& cluster, std::string name,
                                                    int32_t partitions_min, Deadline deadline);

class FencedWriter {
 public:
  // `env` and `cluster` outlive it.
  FencedWriter(Env& env, kafka::ClusterClient& cluster, TopicPartition partition, RelayProducer owner)
      : env_(env), cluster_(cluster), partition_(std::move(partition)), owner_(owner), turn_(env) {}

  const TopicPartition& partition() const { return partition_; }
  RelayProducer owner() const { return owner_; }
  bool usable() const { return failure_.code == ErrorCode::kNone; }

  // All records in one batch: all or none, acknowledged by all in-sync replicas. Returns the first one's offset.
  // kFenced: a newer owner has the partition. kAmbiguous: they may be there or not; kInvalidArgument: refused (too
  // large). After any error but kInvalidArgument every later call fails the same way.
  Task<Result<Offset>> append(std::vector<KeyedRecord> records, Deadline deadline);

 private:
  struct Answer {
    int16_t error_code = 0;
    Offset base;
  };
  Task<Result<Answer>> attempt(ConstBytes batch, Deadline deadline);

  Env& env_;
  kafka::ClusterClient& cluster_;
  const TopicPartition partition_;
  const RelayProducer owner_;
  AsyncMutex turn_;
  int32_t sequence_ = 0;
  Error failure_;
};

}  // namespace farshore::linker
