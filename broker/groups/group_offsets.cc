#include "broker/groups/group_offsets.h"

namespace farshore::broker {

void GroupOffsets::apply(const TopicPartition& partition, const std::optional<CommittedOffset>& value) {
  if (value) {
    size_ += topics_[partition.topic].insert_or_assign(partition.partition, *value).second ? 1 : 0;
    return;
  }
  auto topic = topics_.find(partition.topic);
  if (topic == topics_.end()) return;
  size_ -= topic->second.erase(partition.partition);
  if (topic->second.empty()) topics_.erase(topic);
}

const CommittedOffset* GroupOffsets::find(const std::string& topic, int32_t partition) const {
  auto at = topics_.find(topic);
  if (at == topics_.end()) return nullptr;
  auto it = at->second.find(partition);
  return it == at->second.end() ? nullptr : &it->second;
}

std::vector<TopicPartition> GroupOffsets::all() const {
  std::vector<TopicPartition> out;
  out.reserve(size_);
  for (const auto& [topic, partitions] : topics_) {
    for (const auto& each : partitions) {
      TopicPartition partition;
      partition.topic = topic;
      partition.partition = each.first;
      out.push_back(std::move(partition));
    }
  }
  return out;
}

bool offset_expired(const CommittedOffset& offset, int64_t unused_since_ms, int64_t retention_ms, int64_t now_ms) {
  if (offset.expire_ms >= 0) return now_ms >= offset.expire_ms;
  return now_ms - unused_since_ms >= retention_ms;
}

}  // namespace farshore::broker
