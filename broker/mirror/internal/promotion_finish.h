// PromotionFinish: what follows after a mirror has ended in the metadata, partition by partition: markers abort the
// open transactions, the producer ids are kept from being given out again, and then clients may write.
// A partition that is offline holds up no other one: it stays closed to clients, is tried again in the background, also
// after a restart, and its own end is found when it is back. So is a partition whose disk hangs: nobody waits for it
// longer than kPartitionLimit, and its attempt goes on alone. There is one attempt at a time for each partition.
// Executor: the broker's. Owner: Promotions. All steps are idempotent.
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/async_mutex.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/metadata/producer_ids.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

class PromotionFinish {
 public:
  PromotionFinish(Env& env, SlabArena& arena, MetadataManager& metadata, PartitionTable& partitions,
                  ProducerIds& producer_ids, MirrorTargets& targets);

  Task<void> stop();
  // Returns the topic as it then is: clients write to each of its partitions that is not offline.
  Task<Result<TopicPtr>> run(TopicPtr topic, Deadline deadline);
  // Goes on in the background with all topics that are not finished.
  void retry();

 private:
  using End = PromotionRecord::PartitionEnd;
  static constexpr Duration kPartitionLimit = seconds(5);
  struct Attempt {
    explicit Attempt(Env& env) : ended(env) {}
    End end;
    Status result = ok();
    Wait<void> ended;
  };
  // kIo: the partition is offline, or its attempt has not ended in time.
  Task<Status> finish_partition(TopicPtr topic, End& end, Deadline deadline);
  End newest_end(TopicPtr topic, const End& known) const;
  Task<void> attempt(TopicPtr topic, std::shared_ptr<Attempt> attempt, Deadline deadline);
  Task<Status> find_and_abort(TopicPtr topic, End& end, Deadline deadline);
  // Of a partition that was offline when the mirror ended: finds its end and writes it down.
  Task<Status> find_end(TopicPtr topic, PartitionPtr partition, End& end, Deadline deadline);
  Task<Status> abort_open(PartitionPtr partition, const End& end, Deadline deadline);
  Task<Result<TopicPtr>> store(TopicPtr topic, std::vector<End> ends, bool writable, Deadline deadline);
  Task<void> retry_loop();

  Env& env_;
  SlabArena& arena_;
  MetadataManager& metadata_;
  PartitionTable& partitions_;
  ProducerIds& producer_ids_;
  MirrorTargets& targets_;
  AsyncMutex one_at_a_time_;
  std::set<std::pair<TopicId, int32_t>> attempts_;  // under way
  bool retrying_ = false;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
