// TranslationImage: what one partition of the target's topic __farshore_offsets says, and what follows from the ends of
// the relayed partitions that the log does not cover yet. Batches there name their source by producer and sequence.
//
//   __farshore_offsets-N --catch_up()-----------------> runs, anchors --> TranslationStore (in memory)
//   end of a relayed partition --catch_up_tail()------> runs ------------^
//
// Both keep what they have read when the time is over: a log that takes longer than one call is read over several. A
// batch of another producer is looked at once, not at each call.
// Executor: the Env's. One call at a time: hold mutex(). Memory: about 150 bytes for each run and anchor.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/memory_kv.h"
#include "offsets/store/translation_store.h"
#include "offsets/translation/log_reader.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::client {

class TranslationImage final : private TranslationLogSink {
 public:
  // References outlive it.
  TranslationImage(Env& env, kafka::ClusterClient& target, SlabArena& arena, int32_t log_partition);
  ~TranslationImage() override;

  AsyncMutex& mutex() { return mutex_; }
  offsets::TranslationStore& store() { return store_; }

  // Reads the log up to `end`. kTimedOut says how far it came. It reads at least one answer of the target, which may
  // end after `deadline`: so each call makes progress.
  Task<Status> catch_up(Offset end, Deadline deadline);
  // Places the batches of partition `at` below `end` that the log does not cover. Precondition: catch_up() to an end of
  // the log that was asked for after `end`: an anchor is acknowledged before the batches that it explains.
  Task<Status> catch_up_tail(TopicPartition at, LinkPartition key, Offset end, Deadline deadline);

 private:
  struct Tail {
    std::vector<RelayAnchor> anchors;
    TargetOffset logged_end;  // the log covers everything below
    Offset seen;              // batches below were looked at
    std::optional<TranslationRun> open;
  };
  Task<Status> take(TranslationRecord record) override;
  Task<Status> begin_again(Deadline deadline);
  Task<Status> begin_tail(LinkPartition key);
  Task<Status> place(Tail& tail, LinkPartition key, const BatchHeader& header);
  Deadline step(Deadline deadline) const;

  Env& env_;
  kafka::ClusterClient& target_;
  SlabArena& arena_;
  const int32_t log_partition_;
  AsyncMutex mutex_;
  MemoryKv kv_;
  offsets::TranslationStore store_;
  TranslationLogReader reader_;
  std::map<LinkPartition, Tail> tails_;  // until the log says more of the partition
};

}  // namespace farshore::client
