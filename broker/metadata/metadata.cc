#include "broker/metadata/metadata.h"

#include <algorithm>
#include <charconv>

#include "base/ensure.h"
#include "broker/metadata/codec.h"
#include "proto/link/keys.h"

namespace farshore::broker {
namespace {

constexpr int kRetriesMax = 16;               // of one change that keeps losing its compare
constexpr size_t kPartitionsPerTxnMax = 512;  // epoch raises in one transaction
constexpr Duration kFollowDeadline = seconds(10);
constexpr Duration kFollowPause = milliseconds(500);

struct Placed {  // the partitions of one topic as found in the store, while loading
  std::map<int32_t, PartitionImage> partitions;
};

Error gone(const TopicId& id) { return Error(ErrorCode::kNotFound, "no topic with id " + id.to_string()); }

bool same_partition(const PartitionImage& a, const PartitionImage& b) {
  return a.leadership_epoch == b.leadership_epoch && a.leader == b.leader && a.replicas == b.replicas && a.isr == b.isr;
}

void put_topic(ClusterImage& image, TopicPtr topic) {
  image.names_by_id[topic->id] = topic->name;
  image.topics[topic->name] = std::move(topic);
}

}  // namespace

MetadataManager::MetadataManager(Env& env, std::unique_ptr<MetaStore> store, BrokerImage self)
    : env_(env), store_(std::move(store)), self_(std::move(self)), changes_(env), gate_(env), lock_(env) {}

MetadataManager::~MetadataManager() = default;

Task<Status> MetadataManager::start(std::string cluster_id, Deadline deadline) {
  CO_CHECK(co_await ensure_cluster(cluster_id, deadline));
  CO_CHECK(co_await register_self(deadline));
  CO_CHECK(co_await load(deadline));
  CO_CHECK(co_await raise_epochs(deadline));
  spawn(gate_, "metadata follow", follow());
  co_return ok();
}

Task<void> MetadataManager::stop() {
  stopped_ = true;
  store_->changes().close();
  co_await gate_.close();
  changes_.close();
}

// The cluster record is written once, whole; whoever loses the race reads the winner's.
Task<Status> MetadataManager::ensure_cluster(const std::string& cluster_id, Deadline deadline) {
  const std::string key(kClusterKey);
  CO_TRY(auto found, co_await store_->range(key, {}, deadline));
  if (found.entries.empty()) {
    ClusterRecord record;
    record.cluster_id = cluster_id.empty() ? env_.random().uuid().to_string() : cluster_id;
    record.incarnation = env_.random().uuid();
    record.salt = static_cast<int64_t>(env_.random().below((uint64_t{1} << kProducerIdSaltBits) - 1)) + 1;
    if (salt_ > 0) record.salt = salt_;
    MetaTxn txn;
    txn.conditions.push_back(Compare::absent(key));
    txn.then.push_back(KvPut{key, encode_cluster(record)});
    CO_CHECK(co_await store_->commit(std::move(txn), deadline));
    CO_TRY(found, co_await store_->range(key, {}, deadline));
    if (found.entries.empty())
      co_return Error(ErrorCode::kConflict, "the cluster record is not there after writing it");
  }
  CO_TRY(auto record, decode_cluster(found.entries.front().value));
  if (!cluster_id.empty() && record.cluster_id != cluster_id)
    co_return Error(ErrorCode::kInvalidArgument, "the data directory belongs to cluster " + record.cluster_id +
                                                     ", but cluster.id is " + cluster_id +
                                                     ": use another directory, or remove cluster.id");
  if (salt_ > 0 && record.salt != salt_) {
    env_.log().warn("producer ids carry another salt from now on", {{"before", record.salt}, {"now", salt_}});
    record.salt = salt_;
    MetaTxn txn;
    txn.conditions.push_back(Compare::revision_is(key, found.entries.front().mod_revision));
    txn.then.push_back(KvPut{key, encode_cluster(record)});
    CO_TRY(auto reply, co_await store_->commit(std::move(txn), deadline));
    if (!reply.succeeded) co_return Error(ErrorCode::kConflict, "the cluster record was changed meanwhile");
  }
  co_return ok();
}

Task<Status> MetadataManager::register_self(Deadline deadline) {
  const std::string key = broker_key(self_.id);
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    CO_TRY(auto found, co_await store_->range(key, {}, deadline));
    std::string value = encode_broker(self_);
    if (!found.entries.empty() && found.entries.front().value == value) co_return ok();
    MetaTxn txn;
    txn.conditions.push_back(Compare::revision_is(key, found.entries.empty() ? 0 : found.entries.front().mod_revision));
    txn.then.push_back(KvPut{key, std::move(value)});
    CO_TRY(auto reply, co_await store_->commit(std::move(txn), deadline));
    if (reply.succeeded) co_return ok();
  }
  co_return Error(ErrorCode::kConflict,
                  "another process keeps registering as broker " + std::to_string(self_.id.value()));
}

// Reads everything, at one revision.
Task<Status> MetadataManager::load(Deadline deadline) {
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    CO_TRY(auto topics,
           co_await store_->range(std::string(kTopicPrefix), prefix_end(std::string(kTopicPrefix)), deadline));
    CO_TRY(auto placed,
           co_await store_->range(std::string(kPartitionPrefix), prefix_end(std::string(kPartitionPrefix)), deadline));
    CO_TRY(auto brokers,
           co_await store_->range(std::string(kBrokerPrefix), prefix_end(std::string(kBrokerPrefix)), deadline));
    CO_TRY(auto cluster, co_await store_->range(std::string(kClusterKey), {}, deadline));
    if (topics.revision != cluster.revision || placed.revision != cluster.revision ||
        brokers.revision != cluster.revision)
      continue;
    if (image_ && cluster.revision < image_->revision) {
      failed_ =
          Error(ErrorCode::kConflict, "the metadata store went back from revision " + std::to_string(image_->revision) +
                                          " to " + std::to_string(cluster.revision) +
                                          ": it was restored from an older copy; restart this broker on it");
      env_.log().error("metadata refused", {{"error", *failed_}});
      co_return *failed_;
    }
    auto image = std::make_shared<ClusterImage>();
    image->revision = cluster.revision;
    if (cluster.entries.empty()) co_return Error(ErrorCode::kCorrupt, "the cluster record is gone");
    CO_TRY(auto record, decode_cluster(cluster.entries.front().value));
    image->cluster_id = std::move(record.cluster_id);
    image->incarnation = record.incarnation;
    image->producer_id_salt = record.salt;
    for (const auto& entry : brokers.entries) {
      int32_t id = -1;
      std::string_view number = std::string_view(entry.key).substr(kBrokerPrefix.size());
      auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), id);
      if (failure != std::errc() || end != number.data() + number.size())
        co_return Error(ErrorCode::kCorrupt, "'" + entry.key + "' is no broker key");
      CO_TRY(auto broker, decode_broker(BrokerId(id), entry.value));
      image->brokers.push_back(std::move(broker));
    }
    image->controller = self_.id;  // every broker writes metadata itself: compare transactions need no controller
    std::map<TopicId, Placed> by_topic;
    for (const auto& entry : placed.entries) {
      CO_TRY(auto key, parse_partition_key(entry.key));
      CO_TRY(auto partition, decode_partition(key.partition, entry.value));
      partition.mod_revision = entry.mod_revision;
      by_topic[key.topic].partitions.emplace(key.partition, std::move(partition));
    }
    for (const auto& entry : topics.entries) {
      CO_TRY(auto topic, decode_topic(entry.key.substr(kTopicPrefix.size()), entry.value));
      topic.mod_revision = entry.mod_revision;
      auto& partitions = by_topic[topic.id].partitions;
      if (partitions.size() != topic.partitions.size() ||
          (!partitions.empty() && partitions.rbegin()->first != static_cast<int32_t>(partitions.size()) - 1))
        co_return Error(ErrorCode::kCorrupt, "topic " + topic.name + " has " + std::to_string(topic.partitions.size()) +
                                                 " partitions, but other partition records");
      for (auto& [index, partition] : partitions) topic.partitions[static_cast<size_t>(index)] = std::move(partition);
      put_topic(*image, std::make_shared<const TopicImage>(std::move(topic)));
    }
    publish(std::move(image));
    co_return ok();
  }
  co_return Error(ErrorCode::kUnavailable, "the metadata changes faster than it can be read");
}

Task<Status> MetadataManager::raise_epochs(Deadline deadline) {
  std::vector<std::pair<TopicPtr, size_t>> mine;
  for (const auto& [name, topic] : image_->topics)
    for (size_t i = 0; i < topic->partitions.size(); ++i)
      if (topic->partitions[i].leader == self_.id) mine.emplace_back(topic, i);
  for (size_t at = 0; at < mine.size(); at += kPartitionsPerTxnMax) {
    MetaTxn txn;
    for (size_t i = at; i < std::min(mine.size(), at + kPartitionsPerTxnMax); ++i) {
      PartitionImage partition = mine[i].first->partitions[mine[i].second];
      ensure(partition.leadership_epoch.value() < INT32_MAX, "leadership epochs left");
      partition.leadership_epoch = partition.leadership_epoch + 1;
      std::string key = partition_key(mine[i].first->id, partition.partition);
      txn.conditions.push_back(Compare::revision_is(key, partition.mod_revision));
      txn.then.push_back(KvPut{std::move(key), encode_partition(partition)});
    }
    CO_TRY(auto reply, co_await store_->commit(std::move(txn), deadline));
    if (!reply.succeeded)
      co_return Error(ErrorCode::kConflict, "another process changes this broker's partitions: is broker " +
                                                std::to_string(self_.id.value()) + " running twice?");
  }
  if (mine.empty()) co_return ok();
  co_return co_await load(deadline);
}

void MetadataManager::publish(std::shared_ptr<ClusterImage> image) {
  image_ = std::move(image);
  changes_.notify();
}

// Somebody else's writes: a notification is only a hint, the revision decides.
Task<void> MetadataManager::follow() {
  while (!stopped_) {
    auto notified = co_await store_->changes().wait(Deadline::never());
    if (stopped_ || !notified) break;
    auto guard = co_await lock_.lock();
    auto probe = co_await store_->range(std::string(kClusterKey), {}, env_.in(kFollowDeadline));
    Status status;
    if (!probe)
      status = std::move(probe).error();
    else if (probe->revision != image_->revision)
      status = co_await load(env_.in(kFollowDeadline));
    if (!status && !stopped_) {
      env_.log().warn("metadata not read", {{"error", status.error()}});
      co_await env_.sleep(kFollowPause);
      store_->changes().notify();  // come back
    }
  }
}

// Requires lock_. The image follows at once if this was the only write since it was made; else everything is read
// again.
Task<Result<MetaTxnReply>> MetadataManager::commit_locked(MetaTxn txn, Apply apply, Deadline deadline) {
  if (stopped_) co_return Error(ErrorCode::kClosed, "the broker is stopping");
  if (failed_) co_return *failed_;
  CO_TRY(auto reply, co_await store_->commit(std::move(txn), deadline));
  if (reply.succeeded && reply.revision == image_->revision + 1) {
    auto image = std::make_shared<ClusterImage>(*image_);
    image->revision = reply.revision;
    if (apply) apply(*image, reply.revision);
    publish(std::move(image));
  } else if (reply.revision != image_->revision) {
    CO_CHECK(co_await load(deadline));
  }
  co_return reply;
}

void MetadataManager::place(TopicImage& topic) const {
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    PartitionImage& partition = topic.partitions[i];
    partition.partition = static_cast<int32_t>(i);
    if (!partition.replicas.empty()) continue;
    partition.leader = self_.id;
    partition.replicas = partition.isr = {self_.id};
  }
}

Task<Result<TopicPtr>> MetadataManager::create_topic(NewTopic wanted, Deadline deadline) {
  ensure(wanted.partitions > 0 && !wanted.name.empty(), "a new topic was checked");
  auto guard = co_await lock_.lock();
  if (image_->topic(wanted.name)) co_return Error(ErrorCode::kAlreadyExists, "topic " + wanted.name + " exists");
  auto topic = std::make_shared<TopicImage>();
  topic->name = wanted.name;
  topic->id = env_.random().uuid();
  topic->configs = std::move(wanted.configs);
  topic->mirror = std::move(wanted.mirror);
  topic->internal = wanted.internal;
  topic->partitions.resize(static_cast<size_t>(wanted.partitions));
  place(*topic);
  MetaTxn txn;
  std::string key = topic_key(topic->name);
  txn.conditions.push_back(Compare::absent(key));
  txn.then.push_back(KvPut{std::move(key), encode_topic(*topic)});
  for (const auto& partition : topic->partitions)
    txn.then.push_back(KvPut{partition_key(topic->id, partition.partition), encode_partition(partition)});
  Apply apply = [topic](ClusterImage& image, Revision revision) {
    topic->mod_revision = revision;
    for (auto& partition : topic->partitions) partition.mod_revision = revision;
    put_topic(image, topic);
  };
  auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
  if (!reply && reply.error() == ErrorCode::kAmbiguous) {
    // Our own random id tells whether it was applied.
    CO_CHECK(co_await load(deadline));
    if (!image_->topic(topic->id)) co_return std::move(reply).error();
  } else if (!reply) {
    co_return std::move(reply).error();
  } else if (!reply->succeeded) {
    co_return Error(ErrorCode::kAlreadyExists, "topic " + wanted.name + " exists");
  }
  auto it = image_->topics.find(wanted.name);
  if (it == image_->topics.end() || it->second->id != topic->id)
    co_return Error(ErrorCode::kConflict, "topic " + wanted.name + " was removed while it was made");
  co_return it->second;
}

Task<Status> MetadataManager::delete_topic(TopicId id, Deadline deadline) {
  auto guard = co_await lock_.lock();
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    const TopicImage* found = image_->topic(id);
    if (!found) co_return attempt == 0 ? Status(gone(id)) : ok();
    std::string name = found->name;
    MetaTxn txn;
    txn.conditions.push_back(Compare::revision_is(topic_key(name), found->mod_revision));
    txn.then.push_back(KvDelete{topic_key(name)});
    std::string prefix = std::string(kPartitionPrefix) + id.to_string() + "/";
    txn.then.push_back(KvDeleteRange{prefix, prefix_end(prefix)});
    Apply apply = [id, name](ClusterImage& image, Revision) {
      image.topics.erase(name);
      image.names_by_id.erase(id);
    };
    auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
    if (!reply && reply.error() == ErrorCode::kAmbiguous) {
      CO_CHECK(co_await load(deadline));
      if (!image_->topic(id)) co_return ok();
      co_return std::move(reply).error();
    }
    if (!reply) co_return std::move(reply).error();
    if (reply->succeeded) co_return ok();
  }
  co_return Error(ErrorCode::kConflict, "topic " + id.to_string() + " keeps changing");
}

Task<Result<TopicPtr>> MetadataManager::create_partitions(TopicId id, int32_t count, Deadline deadline) {
  TopicEdit edit = [count](TopicImage& topic) -> Status {
    auto now = static_cast<int32_t>(topic.partitions.size());
    if (count <= now)
      return Error(ErrorCode::kInvalidArgument, "topic " + topic.name + " has " + std::to_string(now) +
                                                    " partitions already: the count can only grow");
    topic.partitions.resize(static_cast<size_t>(count));
    return ok();
  };
  co_return co_await update_topic(id, std::move(edit), deadline);
}

Task<Result<TopicPtr>> MetadataManager::alter_configs(TopicId id, ConfigChanges changes, Deadline deadline) {
  TopicEdit edit = [changes](TopicImage& topic) -> Status {
    for (const auto& [name, value] : changes) {
      if (value)
        topic.configs[name] = *value;
      else
        topic.configs.erase(name);
    }
    return ok();
  };
  co_return co_await update_topic(id, std::move(edit), deadline);
}

Task<Result<TopicPtr>> MetadataManager::update_topic(TopicId id, TopicEdit edit, Deadline deadline) {
  Along nothing;
  co_return co_await update_topic(id, std::move(edit), std::move(nothing), deadline);
}

namespace {

// What `next` changes of `now`, as a transaction that compares all that it replaces.
MetaTxn topic_txn(const TopicImage& now, const TopicImage& next) {
  MetaTxn txn;
  txn.conditions.push_back(Compare::revision_is(topic_key(now.name), now.mod_revision));
  if (std::string value = encode_topic(next); value != encode_topic(now))
    txn.then.push_back(KvPut{topic_key(now.name), std::move(value)});
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    const PartitionImage& partition = next.partitions[i];
    std::string key = partition_key(now.id, partition.partition);
    if (i < now.partitions.size()) {
      if (same_partition(partition, now.partitions[i])) continue;
      ensure(partition.leadership_epoch >= now.partitions[i].leadership_epoch, "a leadership epoch never goes down");
      txn.conditions.push_back(Compare::revision_is(key, now.partitions[i].mod_revision));
    } else {
      txn.conditions.push_back(Compare::absent(key));
    }
    txn.then.push_back(KvPut{std::move(key), encode_partition(partition)});
  }
  return txn;
}

// The revisions that applying `topic_txn(now, next)` gives.
void set_revisions(const TopicImage& now, TopicImage& next, Revision revision) {
  next.mod_revision = encode_topic(next) == encode_topic(now) ? now.mod_revision : revision;
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    bool same = i < now.partitions.size() && same_partition(next.partitions[i], now.partitions[i]);
    next.partitions[i].mod_revision = same ? now.partitions[i].mod_revision : revision;
  }
}

bool same_revisions(const TopicImage& a, const TopicImage& b) {
  return a.mod_revision == b.mod_revision &&
         std::equal(a.partitions.begin(), a.partitions.end(), b.partitions.begin(), b.partitions.end(),
                    [](const auto& x, const auto& y) { return x.mod_revision == y.mod_revision; });
}

}  // namespace

Task<Result<TopicPtr>> MetadataManager::update_topic(TopicId id, TopicEdit edit, Along along, Deadline deadline) {
  auto guard = co_await lock_.lock();
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    auto name = image_->names_by_id.find(id);
    if (name == image_->names_by_id.end()) co_return gone(id);
    TopicPtr now = image_->topics.at(name->second);
    auto next = std::make_shared<TopicImage>(*now);
    CO_CHECK(edit(*next));
    ensure(next->name == now->name && next->id == now->id, "a topic keeps its name and id");
    ensure(next->partitions.size() >= now->partitions.size(), "partitions are never removed");
    place(*next);
    MetaTxn txn = topic_txn(*now, *next);
    if (txn.then.empty() && along.also.empty() && along.conditions.empty()) co_return now;
    txn.conditions.insert(txn.conditions.end(), along.conditions.begin(), along.conditions.end());
    txn.then.insert(txn.then.end(), along.also.begin(), along.also.end());
    Apply apply = [now, next](ClusterImage& image, Revision revision) {
      set_revisions(*now, *next, revision);
      put_topic(image, next);
    };
    auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
    if (!reply && reply.error() == ErrorCode::kAmbiguous) {
      CO_CHECK(co_await load(deadline));
      const TopicImage* found = image_->topic(id);
      bool applied = found && !same_revisions(*found, *now) && encode_topic(*found) == encode_topic(*next) &&
                     std::equal(found->partitions.begin(), found->partitions.end(), next->partitions.begin(),
                                next->partitions.end(), same_partition);
      if (!applied) co_return std::move(reply).error();
      co_return image_->topics.at(now->name);
    }
    if (!reply) co_return std::move(reply).error();
    if (reply->succeeded) {
      auto it = image_->topics.find(now->name);
      if (it == image_->topics.end() || it->second->id != id) co_return gone(id);
      co_return it->second;
    }
    // Lost a compare: if the topic is still what it was, it was one of the caller's own conditions.
    const TopicImage* found = image_->topic(id);
    if (found && same_revisions(*found, *now) && !along.conditions.empty())
      co_return Error(ErrorCode::kFenced, "a condition of the change does not hold any more");
  }
  co_return Error(ErrorCode::kConflict, "topic " + id.to_string() + " keeps changing");
}

Task<Result<MetaSnapshot>> MetadataManager::range(std::string begin, std::string end, Deadline deadline) {
  if (!begin.starts_with(kLinkKeyPrefix) && begin != kProducerIdsKey)
    co_return Error(ErrorCode::kInvalidArgument, "key '" + begin + "' is not open to others: only 'link/...' is");
  if (begin.starts_with(kLinkKeyPrefix) && !end.empty() && end > prefix_end(std::string(kLinkKeyPrefix)))
    co_return Error(ErrorCode::kInvalidArgument, "the range leaves 'link/...'");
  co_return co_await store_->range(std::move(begin), std::move(end), deadline);
}

Task<Result<MetaTxnReply>> MetadataManager::commit(MetaTxn txn, Deadline deadline) {
  const std::string link_end = prefix_end(std::string(kLinkKeyPrefix));
  auto open = [&](const std::string& key) { return key.starts_with(kLinkKeyPrefix) || key == kProducerIdsKey; };
  for (const auto& op : txn.then) {
    bool allowed = false;
    if (const auto* put = std::get_if<KvPut>(&op)) allowed = open(put->key);
    if (const auto* erase = std::get_if<KvDelete>(&op)) allowed = open(erase->key);
    if (const auto* range = std::get_if<KvDeleteRange>(&op))
      allowed = range->begin.starts_with(kLinkKeyPrefix) && range->end <= link_end;
    if (!allowed) co_return Error(ErrorCode::kInvalidArgument, "only keys under 'link/' may be written");
  }
  auto guard = co_await lock_.lock();
  Apply nothing;
  co_return co_await commit_locked(std::move(txn), std::move(nothing), deadline);
}

}  // namespace farshore::broker
