// Assignment: the partitions that the group gave to a member, and which of them it reads already. Pure: no I/O, no
// clock.
//
// After a failover the members of a group arrive at the target one after the other, and the first one is given all
// partitions. A partition that this process did not have before most likely belongs to a member that is still on its
// way. So it is not read during kOthersWait: its owner would deliver the same records once more.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <vector>

#include "offsets/client/consumer/internal/rdkafka_handles.h"

namespace farshore::client {

class Assignment {
 public:
  using Millis = std::chrono::milliseconds;  // since any fixed point in time
  static constexpr Millis kOthersWait = std::chrono::seconds(5);

  // `kept`: after a move, the partitions that this process had before it; nullopt: no move, every partition starts at
  // once.
  explicit Assignment(std::optional<std::set<PartitionKey>> kept) : kept_(std::move(kept)) {}

  void given(std::set<PartitionKey> partitions, Millis now);  // always the whole set
  void taken();                                               // the group rebalances: nothing is read any more
  void started(const PartitionKey& partition);

  // Given, not started, and not held back for another member.
  std::vector<PartitionKey> may_start(Millis now) const;
  const std::set<PartitionKey>& reading() const { return reading_; }
  // What was given last, also while the group rebalances or the cluster is gone: a failover needs these positions.
  const std::set<PartitionKey>& owned() const { return owned_; }
  // Those of owned() that were started since they were given: only their positions are above what the group committed.
  const std::set<PartitionKey>& begun() const { return begun_; }
  bool complete() const { return is_given_ && reading_.size() == owned_.size(); }

 private:
  std::optional<std::set<PartitionKey>> kept_;
  std::set<PartitionKey> owned_, reading_, begun_;
  std::optional<Millis> first_given_;
  bool is_given_ = false;
};

}  // namespace farshore::client
