#include "broker/groups/internal/offset_store.h"

#include <iterator>
#include <utility>

namespace farshore::broker {

void OffsetStore::apply(const OffsetRecord& record) {
  if (record.value) {
    groups_[record.group].apply(record.partition, record.value);
    return;
  }
  auto it = groups_.find(record.group);
  if (it == groups_.end()) return;
  it->second.apply(record.partition, std::nullopt);
  if (it->second.empty()) groups_.erase(it);
}

const GroupOffsets* OffsetStore::find(const std::string& group) const {
  auto it = groups_.find(group);
  return it == groups_.end() ? nullptr : &it->second;
}

std::vector<TopicPartition> OffsetStore::select(
    const std::string& group, const std::function<bool(const std::string&, const CommittedOffset&)>& select) const {
  std::vector<TopicPartition> selected;
  const GroupOffsets* held = find(group);
  if (!held) return selected;
  for (const auto& [topic, partitions] : held->topics()) {
    for (const auto& [index, offset] : partitions) {
      if (!select(topic, offset)) continue;
      TopicPartition partition;
      partition.topic = topic;
      partition.partition = index;
      selected.push_back(std::move(partition));
    }
  }
  return selected;
}

std::vector<CoordinatorRecord> OffsetStore::topic_tombstones(const std::string& topic) const {
  std::vector<CoordinatorRecord> records;
  for (const auto& [group, offsets] : groups_) {
    if (!offsets.topics().count(topic)) continue;
    auto more = offset_tombstones(
        group, select(group, [&](const std::string& each, const CommittedOffset&) { return each == topic; }));
    records.insert(records.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return records;
}

std::vector<CoordinatorRecord> offset_tombstones(const std::string& group,
                                                 const std::vector<TopicPartition>& partitions) {
  std::vector<CoordinatorRecord> records;
  records.reserve(partitions.size());
  for (const auto& partition : partitions) {
    OffsetRecord record;
    record.group = group;
    record.partition = partition;
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace farshore::broker
