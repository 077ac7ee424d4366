#include "broker/metadata/internal/image_reader.h"

#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/topic_change.h"
#include "broker/metadata/internal/topic_reader.h"
#include "broker/metadata/internal/topic_value.h"
#include "proto/link/keys.h"

namespace farshore::broker {
namespace {

constexpr int kReadTriesMax = 16;          // until all keys are read at the same revision
constexpr size_t kTopicsUpdatedMax = 100;  // one by one; more are read with the whole image

using Records = std::map<TopicId, PartitionRecords>;
using Parts = std::map<std::string, std::vector<MetaEntry>, std::less<>>;  // by the prefix of their keys

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
  image.brokers.clear();
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

// What stays in `records` and `parts` belongs to no topic.
Status add_topics(const MetaSnapshot& topics, Records& records, Parts& parts, ClusterImage& image) {
  for (const auto& entry : topics.entries) {
    FARSHORE_TRY(const TopicHead head, topic_head(entry));
    std::string text = entry.value;
    if (head.parts) {
      std::vector<MetaEntry> stored;
      if (auto found = parts.extract(topic_parts_prefix(*head.parts))) stored = std::move(found.mapped());
      FARSHORE_TRY(text, join_topic_parts(head.name, *head.parts, stored));
    }
    FARSHORE_TRY(TopicImage record, decode_topic(head.name, text));
    PartitionRecords mine;
    if (auto found = records.extract(record.id)) mine = std::move(found.mapped());
    FARSHORE_TRY(auto topic, topic_of(head, std::move(record), std::move(mine)));
    put_topic(image, std::move(topic));
  }
  return ok();
}

Parts by_prefix(MetaSnapshot snapshot) {
  Parts parts;
  for (auto& entry : snapshot.entries) {
    std::string prefix = entry.key.substr(0, entry.key.rfind('/') + 1);
    parts[std::move(prefix)].push_back(std::move(entry));
  }
  return parts;
}

// What of an image was written to.
struct Touched {
  std::set<std::string> topics;
  bool brokers = false, cluster = false;
  bool nothing() const { return topics.empty() && !brokers && !cluster; }
};

bool within(const MetaKeys& keys, std::string_view prefix) {
  return keys.begin.starts_with(prefix) && keys.end <= prefix_end(std::string(prefix));
}

// False: it cannot be told which topics `keys` belong to.
bool note(const MetaKeys& keys, const ClusterImage& image, Touched& touched) {
  if (within(keys, kLinkKeyPrefix) || within(keys, kTopicPartPrefix) || keys.begin == kProducerIdsKey) return true;
  if (within(keys, kBrokerPrefix)) return touched.brokers = true;
  if (keys.begin == kClusterKey && keys.end.empty()) return touched.cluster = true;
  if (keys.begin.starts_with(kTopicPrefix) && keys.end.empty()) {
    touched.topics.insert(keys.begin.substr(kTopicPrefix.size()));
    return true;
  }
  if (!within(keys, kPartitionPrefix)) return false;
  const std::string prefix = keys.begin.substr(0, keys.begin.find('/', kPartitionPrefix.size()) + 1);
  auto id = Uuid::parse(
      std::string_view(prefix).substr(kPartitionPrefix.size(), prefix.size() - kPartitionPrefix.size() - 1));
  if (!id || !within(keys, prefix)) return false;
  // A topic that the image does not have comes with its own key.
  if (auto known = image.names_by_id.find(TopicId(*id)); known != image.names_by_id.end())
    touched.topics.insert(known->second);
  return true;
}

void remove_topic_named(ClusterImage& image, const std::string& name) {
  auto known = image.topics.find(name);
  if (known == image.topics.end()) return;
  image.names_by_id.erase(known->second->id);
  image.topics.erase(known);
}

// kUnavailable: something was written meanwhile.
Task<Status> read_touched(MetaStore& store, Touched touched, Revision revision, ClusterImage& image,
                          Deadline deadline) {
  const Error moved(ErrorCode::kUnavailable, "the metadata changes faster than it can be read");
  for (const auto& name : touched.topics) {
    CO_TRY(auto topic, co_await read_topic(store, name, revision, deadline));
    remove_topic_named(image, name);
    if (topic) put_topic(image, std::move(topic));
  }
  if (touched.brokers) {
    CO_TRY(auto brokers, co_await range_of(store, kBrokerPrefix, deadline));
    if (brokers.revision != revision) co_return moved;
    CO_CHECK(add_brokers(brokers, image));
  }
  if (touched.cluster) {
    CO_TRY(auto cluster, co_await store.range(std::string(kClusterKey), {}, deadline));
    if (cluster.revision != revision) co_return moved;
    CO_CHECK(add_cluster(cluster, image));
  }
  image.revision = revision;
  co_return ok();
}

}  // namespace

Task<Result<std::shared_ptr<ClusterImage>>> read_image(MetaStore& store, BrokerId controller, Revision revision_min,
                                                       Deadline deadline, std::vector<std::string>* unowned) {
  for (int attempt = 0; attempt < kReadTriesMax; ++attempt) {
    CO_TRY(auto topics, co_await range_of(store, kTopicPrefix, deadline));
    CO_TRY(auto long_topics, co_await range_of(store, kTopicPartPrefix, deadline));
    CO_TRY(auto placed, co_await range_of(store, kPartitionPrefix, deadline));
    CO_TRY(auto brokers, co_await range_of(store, kBrokerPrefix, deadline));
    CO_TRY(auto cluster, co_await store.range(std::string(kClusterKey), {}, deadline));
    const Revision revision = cluster.revision;
    if (topics.revision != revision || long_topics.revision != revision || placed.revision != revision ||
        brokers.revision != revision)
      continue;
    if (revision < revision_min)
      co_return Error(ErrorCode::kConflict, "the metadata store went back from revision " +
                                                std::to_string(revision_min) + " to " + std::to_string(revision) +
                                                ": it was restored from an older copy; restart this broker on it");
    auto image = std::make_shared<ClusterImage>();
    image->revision = revision;
    image->controller = controller;
    CO_CHECK(add_cluster(cluster, *image));
    CO_CHECK(add_brokers(brokers, *image));
    Records records;
    CO_CHECK(add_records(placed.entries, records));
    Parts parts = by_prefix(std::move(long_topics));
    CO_CHECK(add_topics(topics, records, parts, *image));
    if (unowned) {
      for (const auto& [id, left] : records) unowned->push_back(std::string(kPartitionPrefix) + id.to_string() + "/");
      for (const auto& [prefix, left] : parts) unowned->push_back(prefix);
    }
    co_return image;
  }
  co_return Error(ErrorCode::kUnavailable, "the metadata changes faster than it can be read");
}

Task<Result<ImageUpdate>> update_image(MetaStore& store, std::shared_ptr<const ClusterImage> image, Revision seen,
                                       Deadline deadline) {
  for (int attempt = 0; attempt < kReadTriesMax; ++attempt) {
    CO_TRY(auto changes, co_await store.changed_since(seen, deadline));
    Touched touched;
    bool known = true;
    for (const auto& keys : changes.keys) known = known && note(keys, *image, touched);
    if (!known || touched.topics.size() > kTopicsUpdatedMax)
      co_return Error(ErrorCode::kNotFound, "too much of the metadata has changed");
    ImageUpdate update;
    update.revision = changes.revision;
    if (touched.nothing()) co_return update;
    update.image = std::make_shared<ClusterImage>(*image);
    auto read = co_await read_touched(store, std::move(touched), changes.revision, *update.image, deadline);
    if (read) co_return update;
    if (read.error() != ErrorCode::kUnavailable) co_return std::move(read).error();
  }
  co_return Error(ErrorCode::kUnavailable, "the metadata changes faster than it can be read");
}

}  // namespace farshore::broker
