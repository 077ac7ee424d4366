#include "broker/metadata/metadata.h"

#include <algorithm>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/image_reader.h"
#include "broker/metadata/internal/registration.h"
#include "broker/metadata/internal/topic_change.h"
#include "proto/link/keys.h"

namespace farshore::broker {
namespace {

constexpr int kRetriesMax = 16;  // of one change that keeps losing its compare
constexpr size_t kPartitionsWithTopicMax =
    100;  // new ones in the transaction of their topic, which has other operations
constexpr Duration kFollowDeadline = seconds(10);
constexpr Duration kFollowPause = milliseconds(500);

Error gone(const TopicId& id) { return Error(ErrorCode::kNotFound, "no topic with id " + id.to_string()); }

}  // namespace

MetadataManager::MetadataManager(Env& env, std::unique_ptr<MetaStore> store, BrokerImage self)
    : env_(env), store_(std::move(store)), self_(std::move(self)), changes_(env), gate_(env), lock_(env) {}

MetadataManager::~MetadataManager() = default;

Task<Status> MetadataManager::start(std::string cluster_id, Deadline deadline) {
  Registration registration(env_, *store_, self_);
  CO_CHECK(co_await registration.ensure_cluster(std::move(cluster_id), salt_, deadline));
  CO_CHECK(co_await registration.register_broker(deadline));
  std::vector<TopicId> unowned;
  CO_CHECK(co_await load(deadline, &unowned));
  co_await remove_unowned(std::move(unowned), deadline);
  CO_TRY(const size_t raised, co_await registration.raise_epochs(image_, deadline));
  if (raised > 0) CO_CHECK(co_await load(deadline));
  spawn(gate_, "metadata follow", follow());
  co_return ok();
}

Task<void> MetadataManager::stop() {
  stopped_ = true;
  store_->changes().close();
  co_await gate_.close();
  changes_.close();
}

// Records of partitions whose topic was never made: its creation was interrupted.
Task<void> MetadataManager::remove_unowned(std::vector<TopicId> topics, Deadline deadline) {
  for (const auto& id : topics) {
    MetaTxn txn;
    std::string prefix = std::string(kPartitionPrefix) + id.to_string() + "/";
    txn.then.push_back(KvDeleteRange{prefix, prefix_end(prefix)});
    Apply nothing;
    auto removed = co_await commit_locked(std::move(txn), std::move(nothing), deadline);
    if (!removed) env_.log().warn("leftovers of a topic stay", {{"topic_id", id}, {"error", removed.error()}});
  }
}

Task<Status> MetadataManager::load(Deadline deadline, std::vector<TopicId>* unowned) {
  auto image = co_await read_image(*store_, self_.id, seen_, deadline, unowned);
  if (image) {
    seen_ = (*image)->revision;
    publish(std::move(*image));
    co_return ok();
  }
  if (image.error() == ErrorCode::kConflict) {
    failed_ = image.error();
    env_.log().error("metadata refused", {{"error", *failed_}});
  }
  co_return std::move(image).error();
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
    else if (probe->revision != seen_)
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
  if (reply.succeeded && reply.revision == seen_ + 1) {
    seen_ = reply.revision;
    if (!apply) co_return reply;  // what others keep in the store is not in the image
    auto image = std::make_shared<ClusterImage>(*image_);
    image->revision = reply.revision;
    apply(*image, reply.revision);
    publish(std::move(image));
  } else if (reply.revision != seen_) {
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

Task<Result<size_t>> MetadataManager::write_ahead(TopicImage& topic, size_t from, Deadline deadline) {
  while (topic.partitions.size() - from > kPartitionsWithTopicMax) {
    const size_t to = from + std::min(kMetaTxnOpsMax, topic.partitions.size() - from - kPartitionsWithTopicMax);
    MetaTxn txn = partitions_txn(topic, from, to);
    Apply nothing;
    CO_TRY(auto reply, co_await commit_locked(std::move(txn), std::move(nothing), deadline));
    for (; from < to; ++from) topic.partitions[from].mod_revision = reply.revision;
  }
  co_return from;
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
  CO_TRY(const size_t written, co_await write_ahead(*topic, 0, deadline));
  MetaTxn txn = new_topic_txn(*topic, written);
  Apply apply = [topic, written](ClusterImage& image, Revision revision) {
    topic->mod_revision = revision;
    for (size_t i = written; i < topic->partitions.size(); ++i) topic->partitions[i].mod_revision = revision;
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
    CO_TRY(const size_t written, co_await write_ahead(*next, now->partitions.size(), deadline));
    const TopicChange change(now, next, written);
    MetaTxn txn = change.txn();
    if (txn.then.empty() && along.also.empty() && along.conditions.empty()) co_return now;
    txn.conditions.insert(txn.conditions.end(), along.conditions.begin(), along.conditions.end());
    txn.then.insert(txn.then.end(), along.also.begin(), along.also.end());
    Apply apply = [change](ClusterImage& image, Revision revision) { change.apply(image, revision); };
    auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
    if (!reply && reply.error() == ErrorCode::kAmbiguous) {
      CO_CHECK(co_await load(deadline));
      if (!change.applied_in(*image_)) co_return std::move(reply).error();
      co_return image_->topics.at(now->name);
    }
    if (!reply) co_return std::move(reply).error();
    if (reply->succeeded) {
      auto it = image_->topics.find(now->name);
      if (it == image_->topics.end() || it->second->id != id) co_return gone(id);
      co_return it->second;
    }
    // A compare failed. If the topic is what it was, it was one of the caller's own conditions.
    if (change.unchanged_in(*image_) && !along.conditions.empty())
      co_return Error(ErrorCode::kFenced, "a condition of the change does not hold any more");
  }
  co_return Error(ErrorCode::kConflict, "topic " + id.to_string() + " keeps changing");
}

Task<Result<MetaSnapshot>> MetadataManager::range(std::string begin, std::string end, Deadline deadline,
                                                  size_t entries_max) {
  if (!begin.starts_with(kLinkKeyPrefix) && begin != kProducerIdsKey)
    co_return Error(ErrorCode::kInvalidArgument, "key '" + begin + "' is not open to others: only 'link/...' is");
  if (begin.starts_with(kLinkKeyPrefix) && !end.empty() && end > prefix_end(std::string(kLinkKeyPrefix)))
    co_return Error(ErrorCode::kInvalidArgument, "the range leaves 'link/...'");
  co_return co_await store_->range(std::move(begin), std::move(end), deadline, entries_max);
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
