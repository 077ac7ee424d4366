// PartitionReader: reads one partition of a Kafka cluster in order, with plain Fetch. It is meant for small logs that
// are read now and then: the topics in which links keep their state, and the tail of a partition at a takeover. The
// data path is replicator/fetcher.h. It has one connection of its own (but see wait_max) and follows the leader. It
// reads uncommitted records too, up to the high watermark, and control batches. Executor: the Env's. Memory: one answer
// (`bytes_max`, or one larger batch).
#pragma once

#include <memory>
#include <optional>

#include "base/env.h"
#include "proto/batch/batch.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::kafka {

struct PartitionRead {
  BatchRun run;  // whole batches, CRCs checked; the first may begin below the position. Empty: no records yet
  Offset log_start, high_watermark;
};

struct PartitionReaderOptions {
  int32_t bytes_max = 1 << 20;  // of one answer; a larger batch comes alone
  // How long the broker waits for records. Zero: the reader uses the cluster client's shared connection, on which no
  // request may wait.
  Duration wait_max = milliseconds(500);
  Duration request_timeout = seconds(10);
};

class PartitionReader {
 public:
  // All references must outlive it. The first next() connects.
  PartitionReader(Env& env, ClusterClient& cluster, SlabArena& arena, TopicPartition partition, Offset from,
                  PartitionReaderOptions options = {});
  ~PartitionReader();
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;

  const TopicPartition& partition() const { return partition_; }
  Offset position() const { return position_; }
  void seek(Offset to) { position_ = to; }

  // Reads the next batches and moves the position behind them. The run is empty if none came within wait_max. A lost
  // connection or leader is looked for again until the deadline. kOutOfRange: position() is below the log start or
  // above the log end (see partition_offset()); kNotFound: no such partition; kPermissionDenied; kCorrupt: no valid
  // batches.
  Task<Result<PartitionRead>> next(Deadline deadline);

 private:
  class Visitor;
  Task<Result<PartitionRead>> attempt(Deadline deadline);

  Env& env_;
  ClusterClient& cluster_;
  const TopicPartition partition_;
  Offset position_;
  const PartitionReaderOptions options_;
  SlabWriter slabs_;
  std::shared_ptr<Client> connection_;
  int32_t broker_ = -1;
};

enum class OffsetOf : uint8_t { kLogStart, kEnd };  // kEnd: the high watermark

// Asks the leader (ListOffsets); looks for a leader until the deadline. Errors as PartitionReader::next().
Task<Result<Offset>> partition_offset(ClusterClient& cluster, TopicPartition partition, OffsetOf which,
                                      Deadline deadline);

struct EpochEnd {
  LogEpoch epoch{-1};  // the largest epoch of the log that is not above the requested one; -1: unknown
  Offset end;          // the first offset behind it; -1: unknown
};

// Asks the leader (OffsetForLeaderEpoch, KIP-101 and KIP-279); looks for a leader until the deadline. kUnsupported: the
// broker is older than Apache Kafka 2.0.
Task<Result<EpochEnd>> partition_epoch_end(ClusterClient& cluster, TopicPartition partition, LogEpoch epoch,
                                           Deadline deadline);

}  // namespace farshore::kafka
