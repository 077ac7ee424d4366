#include "broker/metadata/internal/image_reader.h"

#include <charconv>
#include <map>
#include <string>
#include <utility>

#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/topic_change.h"

namespace farshore::broker {
namespace {

constexpr int kReadTriesMax = 16;  // until all keys are read at the same revision

// Partitions by topic and index.
using Partitions = std::map<TopicId, std::map<int32_t, PartitionImage>>;

Task<Result<MetaSnapshot>> range_of(MetaStore& store, std::string_view prefix, Deadline deadline) {
  std::string begin(prefix);
  std::string end = prefix_end(begin);
  return store.range(std::move(begin), std::move(end), deadline);
}

Status add_cluster(const MetaSnapshot& cluster, ClusterImage& image) {
  if (cluster.entries.empty()) return Error(ErrorCode::kCorrupt, "the cluster record is gone");
  FARSHORE_TRY(auto record, decode_cluster(cluster.entries.front().value));
  image.cluster_id = std::move(record.cluster_id);
  image.incarnation = record.incarnation;
  image.producer_id_salt = record.salt;
  return ok();
}

Status add_brokers(const MetaSnapshot& brokers, ClusterImage& image) {
  for (const auto& entry : brokers.entries) {
    int32_t id = -1;
    std::string_view number = std::string_view(entry.key).substr(kBrokerPrefix.size());
    auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (failure != std::errc() || end != number.data() + number.size())
      return Error(ErrorCode::kCorrupt, "'" + entry.key + "' is no broker key");
    FARSHORE_TRY(auto broker, decode_broker(BrokerId(id), entry.value));
    image.brokers.push_back(std::move(broker));
  }
  return ok();
}

Result<Partitions> decode_partitions(const MetaSnapshot& placed) {
  Partitions by_topic;
  for (const auto& entry : placed.entries) {
    FARSHORE_TRY(auto key, parse_partition_key(entry.key));
    FARSHORE_TRY(auto partition, decode_partition(key.partition, entry.value));
    partition.mod_revision = entry.mod_revision;
    by_topic[key.topic].emplace(key.partition, std::move(partition));
  }
  return by_topic;
}

// What stays in `by_topic` belongs to no topic.
Status add_topics(const MetaSnapshot& topics, Partitions& by_topic, ClusterImage& image) {
  for (const auto& entry : topics.entries) {
    FARSHORE_TRY(auto topic, decode_topic(entry.key.substr(kTopicPrefix.size()), entry.value));
    topic.mod_revision = entry.mod_revision;
    auto partitions = std::move(by_topic[topic.id]);
    by_topic.erase(topic.id);
    const auto count = static_cast<int32_t>(topic.partitions.size());
    partitions.erase(partitions.lower_bound(count), partitions.end());
    if (partitions.size() != topic.partitions.size() || (!partitions.empty() && partitions.begin()->first != 0))
      return Error(ErrorCode::kCorrupt, "topic " + topic.name + " has " + std::to_string(topic.partitions.size()) +
                                            " partitions, but other partition records");
    for (auto& [index, partition] : partitions) topic.partitions[static_cast<size_t>(index)] = std::move(partition);
    put_topic(image, std::make_shared<const TopicImage>(std::move(topic)));
  }
  return ok();
}

}  // namespace

Task<Result<std::shared_ptr<ClusterImage>>> read_image(MetaStore& store, BrokerId controller, Revision revision_min,
                                                       Deadline deadline, std::vector<TopicId>* unowned) {
  for (int attempt = 0; attempt < kReadTriesMax; ++attempt) {
    CO_TRY(auto topics, co_await range_of(store, kTopicPrefix, deadline));
    CO_TRY(auto placed, co_await range_of(store, kPartitionPrefix, deadline));
    CO_TRY(auto brokers, co_await range_of(store, kBrokerPrefix, deadline));
    CO_TRY(auto cluster, co_await store.range(std::string(kClusterKey), {}, deadline));
    if (topics.revision != cluster.revision || placed.revision != cluster.revision ||
        brokers.revision != cluster.revision)
      continue;
    if (cluster.revision < revision_min)
      co_return Error(ErrorCode::kConflict, "the metadata store went back from revision " +
                                                std::to_string(revision_min) + " to " +
                                                std::to_string(cluster.revision) +
                                                ": it was restored from an older copy; restart this broker on it");
    auto image = std::make_shared<ClusterImage>();
    image->revision = cluster.revision;
    image->controller = controller;
    CO_CHECK(add_cluster(cluster, *image));
    CO_CHECK(add_brokers(brokers, *image));
    CO_TRY(auto partitions, decode_partitions(placed));
    CO_CHECK(add_topics(topics, partitions, *image));
    if (unowned)
      for (const auto& [id, records] : partitions) unowned->push_back(id);
    co_return image;
  }
  co_return Error(ErrorCode::kUnavailable, "the metadata changes faster than it can be read");
}

}  // namespace farshore::broker
