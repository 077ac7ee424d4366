// The committed offsets of one group.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/groups/group_records.h"

namespace farshore::broker {

class GroupOffsets {
 public:
  using Partitions = std::map<int32_t, CommittedOffset>;

  void apply(const TopicPartition& partition, const std::optional<CommittedOffset>& value);  // nullopt: removed
  // nullptr: nothing committed. Valid until the next apply().
  const CommittedOffset* find(const std::string& topic, int32_t partition) const;
  const std::map<std::string, Partitions>& topics() const { return topics_; }
  bool empty() const { return topics_.empty(); }
  size_t size() const { return size_; }
  std::vector<TopicPartition> all() const;

 private:
  std::map<std::string, Partitions> topics_;
  size_t size_ = 0;
};

// Whether an offset has expired: by its own expiry time if the commit has one, otherwise by `retention_ms`.
// `unused_since_ms`: Unix time since which the group does not use it.
bool offset_expired(const CommittedOffset& offset, int64_t unused_since_ms, int64_t retention_ms, int64_t now_ms);

}  // namespace farshore::broker
