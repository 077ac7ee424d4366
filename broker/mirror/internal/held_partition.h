// HeldPartition: a mirror partition whose lock is held, so that neither an append nor a truncation moves its end; and
// what is written down about that end. Executor: the broker's.
#pragma once

#include <vector>

#include "broker/mirror/mirror_targets.h"
#include "broker/partitions/partition_table.h"
#include "proto/link/promotion_record.h"

namespace farshore::broker {

struct HeldPartition {
  PartitionPtr partition;
  std::shared_ptr<MirrorTargets::Target> target;
  AsyncMutex::Guard guard;
};

// An append lasts as long as its sync. To a failover, a partition that is not free after this time is offline: its disk
// hangs.
inline constexpr Duration kHoldLimit = seconds(3);
// To a failover, so is one whose log is not synced after this time.
inline constexpr Duration kSyncLimit = seconds(5);
// kIo: an append or another change of the partition does not end.
Task<Result<HeldPartition>> hold_partition(MirrorTargets& targets, PartitionPtr partition, Deadline deadline);

// The partition of a mirror, to work on. Any reason for which its log is not open, and will not be in a moment, is kIo:
// damage, a full disk, too few descriptors. Others are those of PartitionTable::find().
Result<PartitionPtr> usable_partition(const PartitionTable& partitions, const TopicId& topic, int32_t partition);

// The partition is offline, as opposed to gone or slow: others do not wait for it.
bool is_offline(const Error& error);

// The first epoch of the target's own records: a multiple of 65536 above all epochs that were seen.
LeadershipEpoch next_epoch(const std::vector<HeldPartition>& held);
// The end of the mirror in this partition. Its transactions are not known to be torn yet: find_torn().
PromotionRecord::PartitionEnd end_of(const HeldPartition& held, LeadershipEpoch epoch, WallTime now);

}  // namespace farshore::broker
