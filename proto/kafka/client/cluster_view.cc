#include "proto/kafka/client/cluster_view.h"

namespace farshore::kafka {

namespace {

ClusterView::Topic topic_of(const MetadataResponse::MetadataResponseTopic& from) {
  ClusterView::Topic topic;
  topic.name = from.name.value_or(std::string());
  topic.id = from.topic_id;
  topic.internal = from.is_internal;
  topic.error_code = from.error_code;
  for (const auto& each : from.partitions) {
    auto& partition = topic.partitions[each.partition_index];
    partition.error_code = each.error_code;
    partition.leader = each.leader_id;
    partition.leader_epoch = each.leader_epoch;
    partition.replicas = each.replica_nodes;
    partition.isr = each.isr_nodes;
  }
  return topic;
}

}  // namespace

const ClusterView::Partition* ClusterView::partition(std::string_view topic, int32_t index) const {
  auto it = topics.find(std::string(topic));
  if (it == topics.end()) return nullptr;
  auto found = it->second.partitions.find(index);
  return found == it->second.partitions.end() ? nullptr : &found->second;
}

void ClusterView::apply(const MetadataResponse& response) {
  cluster_id = response.cluster_id.value_or(std::string());
  controller = response.controller_id;
  brokers.clear();
  for (const auto& each : response.brokers) {
    auto& broker = brokers[each.node_id];
    broker.endpoint = Endpoint{each.host, static_cast<uint16_t>(each.port)};
    broker.rack = each.rack.value_or(std::string());
  }
  for (const auto& each : response.topics) {
    if (each.name) topics[*each.name] = topic_of(each);
  }
}

}  // namespace farshore::kafka
