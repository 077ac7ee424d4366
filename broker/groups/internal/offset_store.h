// OffsetStore: the committed offsets of all groups of one partition of __consumer_offsets.
// Executor: the owner's. Owner: GroupShard.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/groups/group_offsets.h"
#include "broker/groups/group_records.h"

namespace farshore::broker {

class OffsetStore {
 public:
  void clear() { groups_.clear(); }
  void apply(const OffsetRecord& record);

  // nullptr: nothing committed. Valid until the next apply().
  const GroupOffsets* find(const std::string& group) const;
  const std::map<std::string, GroupOffsets>& groups() const { return groups_; }
  // The partitions of a group for whose topic and offset `select` is true.
  std::vector<TopicPartition> select(
      const std::string& group, const std::function<bool(const std::string&, const CommittedOffset&)>& select) const;
  // Records that remove every offset committed in `topic`, of all groups.
  std::vector<CoordinatorRecord> topic_tombstones(const std::string& topic) const;

 private:
  std::map<std::string, GroupOffsets> groups_;
};

// Records that remove these offsets.
std::vector<CoordinatorRecord> offset_tombstones(const std::string& group,
                                                 const std::vector<TopicPartition>& partitions);

}  // namespace farshore::broker
