// PartitionReader: one partition of any Kafka cluster, read in order with plain Fetch. For logs that are read now and
// then and kept small (the topics that links keep their state in, the tail of a partition at a takeover): not the data
// plane, which is replicator/fetcher.h.
// It has one connection of its own (but see wait_max), follows the leader, and reads uncommitted records up to the high
// watermark, control batches included. Executor: the Env's. Memory: what one answer holds (`bytes_max`, or one larger
// batch).
#pragma once

#include <memory>
#include <optional>

#include "base/env.h"
#include "proto/batch/batch.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::kafka {

struct PartitionRead {
  BatchRun run;  // whole batches, CRCs checked; the first may begin below where it was asked to. Empty: nothing yet
  Offset log_start, high_watermark;
};

struct PartitionReaderOptions {
  int32_t bytes_max = 1 << 20;  // of one answer; a larger batch still comes, alone
  // At the broker, for something to come. Zero: the shared connection of the cluster client is used, which nothing may
  // hold up.
  Duration wait_max = milliseconds(500);
  Duration request_timeout = seconds(10);
};

class PartitionReader {
 public:
  // All references outlive it. Connects to nothing yet.
  PartitionReader(Env& env, ClusterClient& cluster, SlabArena& arena, TopicPartition partition, Offset from,
                  PartitionReaderOptions options = {});
  ~PartitionReader();
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;

  const TopicPartition& partition() const { return partition_; }
  Offset position() const { return position_; }
  void seek(Offset to) { position_ = to; }

  // What comes next; an empty run when nothing came within wait_max. Connections and leaders that are lost are looked
  // for again until the deadline. kOutOfRange: position() is below the log's start or above its end (see
  // partition_offset()); kNotFound: no such partition; kPermissionDenied; kCorrupt: bytes that are no batches.
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

enum class OffsetOf : uint8_t { kLogStart, kEnd };  // kEnd: of what a reader sees, the high watermark

// Asked of the leader, which is looked for until the deadline. Errors as above.
Task<Result<Offset>> partition_offset(ClusterClient& cluster, TopicPartition partition, OffsetOf which,
                                      Deadline deadline);

struct EpochEnd {
  LogEpoch epoch{-1};  // the largest that is not above the one that was asked for; -1: not known
  Offset end;          // where it ends; -1: not known
};

// As OffsetForLeaderEpoch (KIP-101, KIP-279) answers, asked of the leader, which is looked for until the deadline.
// kUnsupported: of a broker before Apache Kafka 2.0.
Task<Result<EpochEnd>> partition_epoch_end(ClusterClient& cluster, TopicPartition partition, LogEpoch epoch,
                                           Deadline deadline);

}  // namespace farshore::kafka
