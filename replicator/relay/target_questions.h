// TargetQuestions: what takeovers ask the leaders of target partitions. Each takeover asks about its own partition;
// questions of one turn of the event loop travel in one request to each leader (gathered.h), so that 1,000 takeovers
// cost a few requests. A partition that its leader does not answer for is asked about alone, until the deadline.
//
//   before the fence   ends(), remembered()
//   after it           end_of_epoch(), look()
//
// Executor: the Env's. Owner: RelaySink. Source: KIP-664 (DescribeProducers), KIP-279; tried on Apache Kafka 4.1.1.
#pragma once

#include <optional>
#include <vector>

#include "proto/kafka/client/partition_reader.h"
#include "replicator/relay/evidence.h"
#include "replicator/relay/gathered.h"

namespace farshore::replicator {

inline constexpr size_t kQuestionsTogetherMax = 1000;    // partitions of one request
inline constexpr int32_t kLookBytesMax = 64 << 10;       // of one partition
inline constexpr int32_t kLookAnswerBytesMax = 4 << 20;  // of one answer

class TargetQuestions {
 public:
  // References outlive it, and the gate is closed before it goes.
  TargetQuestions(Env& env, kafka::ClusterClient& cluster, Gate& gate);

  Task<Result<TargetOffset>> log_start(TopicPartition at, Deadline deadline);
  Task<Result<TargetOffset>> high_watermark(TopicPartition at, Deadline deadline);
  // Empty from a broker that is too old to tell (before KIP-664).
  Task<Result<std::vector<RememberedProducer>>> remembered(TopicPartition at, Deadline deadline);
  // Where the records of the leader epochs up to `epoch` end; nothing if the target cannot tell.
  Task<Result<std::optional<TargetOffset>>> end_of_epoch(TopicPartition at, LeadershipEpoch epoch, Deadline deadline);
  // The first batches from `from` on, at most kLookBytesMax. kUnavailable: nothing was learned about this partition
  // (its leader moved, its next batch is larger, others filled the answer): a reader of its own goes on.
  Task<Result<kafka::PartitionRead>> look(TopicPartition at, Offset from, Deadline deadline);

 private:
  using Producers = std::vector<RememberedProducer>;
  using EpochEnd = std::optional<TargetOffset>;
  struct EpochAsked {
    TopicPartition at;
    LeadershipEpoch epoch{-1};
  };
  struct LookAsked {
    TopicPartition at;
    Offset from;
  };
  // -1: the view shows none.
  int32_t leader_of(const TopicPartition& at) const;
  // Asked alone if the leader is not known, or did not answer for it.
  Task<Result<TargetOffset>> offset(TopicPartition at, kafka::OffsetOf which, Deadline deadline);

  Task<std::vector<Result<TargetOffset>>> ask_offsets(int32_t broker, std::vector<TopicPartition> asked,
                                                      int64_t timestamp);
  Task<std::vector<Result<Producers>>> ask_producers(int32_t broker, std::vector<TopicPartition> asked);
  Task<std::vector<Result<EpochEnd>>> ask_epochs(int32_t broker, std::vector<EpochAsked> asked);
  Task<std::vector<Result<kafka::PartitionRead>>> ask_looks(int32_t broker, std::vector<LookAsked> asked);

  Env& env_;
  kafka::ClusterClient& cluster_;
  SlabArena arena_;
  Gathered<TopicPartition, TargetOffset> starts_, ends_;
  Gathered<TopicPartition, Producers> producers_;
  Gathered<EpochAsked, EpochEnd> epochs_;
  Gathered<LookAsked, kafka::PartitionRead> looks_;
};

}  // namespace farshore::replicator
