#include "proto/kafka/fake/cluster.h"

namespace farshore::kafka {

FakeTopic& FakeCluster::add_topic(const std::string& name, int32_t partitions) {
  FakeTopic& topic = topics[name];
  topic.id.bytes[0] = 0x70;
  topic.id.bytes[15] = static_cast<uint8_t>(next_topic_++);
  topic.partitions.resize(static_cast<size_t>(partitions));
  return topic;
}

FakePartition* FakeCluster::find(const std::string& topic, int32_t index) {
  auto it = topics.find(topic);
  if (it == topics.end() || index < 0 || static_cast<size_t>(index) >= it->second.partitions.size()) return nullptr;
  return &it->second.partitions[static_cast<size_t>(index)];
}

FakePartition* FakeCluster::find(const std::string& topic, const Uuid& id, int32_t index) {
  if (id.is_zero()) return find(topic, index);
  for (const auto& [name, each] : topics) {
    if (each.id == id) return find(name, index);
  }
  return nullptr;
}

}  // namespace farshore::kafka
