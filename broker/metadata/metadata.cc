#include "broker/metadata/metadata.h"

#include <algorithm>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/image_reader.h"
#include "broker/metadata/internal/open_keys.h"
#include "broker/metadata/internal/registration.h"
#include "broker/metadata/internal/topic_change.h"
#include "broker/metadata/internal/topic_edits.h"

namespace farshore::broker {
namespace {

constexpr int kRetriesMax = 16;                  // of one change that keeps losing its compare
constexpr size_t kPartitionsWithTopicMax = 100;  // new ones in the transaction of their topic
constexpr Duration kFollowDeadline = seconds(10);
constexpr Duration kFollowPause = milliseconds(500);
constexpr Duration kFinishPauseMax = seconds(30);  // between two tries to finish a raise, which grow from kFollowPause
constexpr Duration kUndoMax = seconds(1);

Error gone(const TopicId& id) { return Error(ErrorCode::kNotFound, "no topic with id " + id.to_string()); }

}  // namespace

MetadataManager::MetadataManager(Env& env, std::unique_ptr<MetaStore> store, BrokerImage self)
    : env_(env), store_(std::move(store)), self_(std::move(self)), changes_(env), gate_(env), lock_(env) {}

MetadataManager::~MetadataManager() = default;

Task<Status> MetadataManager::start(std::string cluster_id, Deadline deadline) {
  Registration registration(env_, *store_, self_);
  CO_CHECK(co_await registration.ensure_cluster(std::move(cluster_id), salt_, deadline));
  CO_CHECK(co_await registration.register_broker(deadline));
  std::vector<std::string> unowned;
  CO_CHECK(co_await load(deadline, &unowned));
  co_await remove_unowned(std::move(unowned), deadline);
  CO_TRY(const size_t raised, co_await registration.raise_epochs(image_, deadline));
  if (raised > 0) CO_CHECK(co_await load(deadline));
  finish_raises_later();
  spawn(gate_, "metadata follow", follow());
  co_return ok();
}

Task<void> MetadataManager::stop() {
  stopped_ = true;
  store_->changes().close();
  co_await gate_.close();
  changes_.close();
}

// Records that a creation, or a change of a long topic, left when it was interrupted.
Task<void> MetadataManager::remove_unowned(std::vector<std::string> prefixes, Deadline deadline) {
  for (const auto& prefix : prefixes) {
    MetaTxn txn;
    txn.then.push_back(KvDeleteRange{prefix, prefix_end(prefix)});
    Apply nothing;
    auto removed = co_await commit_locked(std::move(txn), std::move(nothing), deadline);
    if (!removed) env_.log().warn("leftovers of a topic stay", {{"keys", prefix}, {"error", removed.error()}});
  }
}

// Requires lock_. At most one change is not undone, however often changes are tried on a full disk.
Task<Error> MetadataManager::undo_ahead(MetaTxn txn, Error why) {
  undo_ = std::move(txn);
  auto undone = co_await finish_undo(env_.in(kUndoMax));
  if (!undone) env_.log().warn("what a failed change left in the metadata stays for now", {{"error", undone.error()}});
  co_return why;
}

// Requires lock_.
Task<Status> MetadataManager::finish_undo(Deadline deadline) {
  if (!undo_) co_return ok();
  MetaTxn txn = *undo_;
  Apply nothing;
  auto undone = co_await commit_locked(std::move(txn), std::move(nothing), deadline);
  if (!undone) co_return std::move(undone).error();
  undo_.reset();
  co_return ok();
}

Task<Status> MetadataManager::load(Deadline deadline, std::vector<std::string>* unowned) {
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

Task<Status> MetadataManager::catch_up(Deadline deadline) {
  auto update = co_await update_image(*store_, image_, seen_, deadline);
  if (!update && update.error() == ErrorCode::kNotFound) co_return co_await load(deadline);
  if (!update) co_return std::move(update).error();
  seen_ = update->revision;
  if (update->image) publish(std::move(update->image));
  co_return ok();
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
      status = co_await catch_up(env_.in(kFollowDeadline));
    if (!status && !stopped_) {
      env_.log().warn("metadata not read", {{"error", status.error()}});
      co_await env_.sleep(kFollowPause);
      store_->changes().notify();  // come back
    }
  }
}

// Requires lock_. The image follows at once if this was the only write since it was made; else it catches up.
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
    auto caught_up = co_await catch_up(deadline);
    // Whoever takes it for not written would undo what it needs.
    if (!caught_up && reply.succeeded) co_return Error(ErrorCode::kAmbiguous, caught_up.error().to_string());
    CO_CHECK(std::move(caught_up));
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
  const bool ahead = topic->partitions.size() > kPartitionsWithTopicMax;
  if (ahead) CO_CHECK(co_await finish_undo(deadline));
  MetaTxn undo;
  remove_topic_records(*topic, undo);
  auto wrote = co_await write_ahead(*topic, 0, deadline);
  if (!wrote) co_return co_await undo_ahead(std::move(undo), wrote.error());
  const size_t written = *wrote;
  MetaTxn txn = new_topic_txn(*topic, written);
  Apply apply = [topic, written](ClusterImage& image, Revision revision) {
    topic->mod_revision = revision;
    for (size_t i = written; i < topic->partitions.size(); ++i) topic->partitions[i].mod_revision = revision;
    put_topic(image, topic);
  };
  auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
  Error refusal(ErrorCode::kAlreadyExists, "topic " + wanted.name + " exists");
  if (!reply) refusal = reply.error();
  const bool refused = !reply || !reply->succeeded;
  if (ahead && refused && refusal != ErrorCode::kAmbiguous) co_return co_await undo_ahead(std::move(undo), refusal);
  if (!reply && reply.error() == ErrorCode::kAmbiguous) {
    // Our own random id tells whether it was applied.
    CO_CHECK(co_await catch_up(deadline));
    if (!image_->topic(topic->id)) co_return std::move(reply).error();
  } else if (refused) {
    co_return refusal;
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
    remove_topic_records(*found, txn);
    Apply apply = [id, name](ClusterImage& image, Revision) {
      image.topics.erase(name);
      image.names_by_id.erase(id);
    };
    auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
    if (!reply && reply.error() == ErrorCode::kAmbiguous) {
      CO_CHECK(co_await catch_up(deadline));
      if (!image_->topic(id)) co_return ok();
      co_return std::move(reply).error();
    }
    if (!reply) co_return std::move(reply).error();
    if (reply->succeeded) co_return ok();
  }
  co_return Error(ErrorCode::kConflict, "topic " + id.to_string() + " keeps changing");
}

Task<Result<TopicPtr>> MetadataManager::create_partitions(TopicId id, int32_t count, Deadline deadline) {
  TopicEdit edit = grow_to(count);
  co_return co_await update_topic(id, std::move(edit), deadline);
}

Task<Result<TopicPtr>> MetadataManager::alter_configs(TopicId id, ConfigChanges changes, Deadline deadline) {
  TopicEdit edit = change_configs(std::move(changes));
  co_return co_await update_topic(id, std::move(edit), deadline);
}

Task<Result<TopicPtr>> MetadataManager::update_topic(TopicId id, TopicEdit edit, Deadline deadline) {
  Along nothing;
  co_return co_await update_topic(id, std::move(edit), std::move(nothing), deadline);
}

Task<Result<TopicPtr>> MetadataManager::update_topic(TopicId id, TopicEdit edit, Along along, Deadline deadline) {
  MetaTxn others{std::move(along.conditions), std::move(along.also)};
  auto guard = co_await lock_.lock();
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    auto name = image_->names_by_id.find(id);
    if (name == image_->names_by_id.end()) co_return gone(id);
    TopicPtr now = image_->topics.at(name->second);
    if (!now->raising.empty()) {
      CO_CHECK(co_await finish_raise(id, deadline));
      continue;
    }
    auto next = std::make_shared<TopicImage>(*now);
    CO_CHECK(edit(*next));
    ensure(next->name == now->name && next->id == now->id, "a topic keeps its name and id");
    ensure(next->partitions.size() >= now->partitions.size(), "partitions are never removed");
    place(*next);
    CO_TRY(const size_t written, co_await write_ahead(*next, now->partitions.size(), deadline));
    TopicChange change(now, next, written, others, env_.random());
    CO_TRY(const bool committed, co_await commit_change(change, others, deadline));
    if (committed) {
      const TopicImage* changed = image_->topic(id);
      if (!changed) co_return gone(id);
      if (!changed->raising.empty()) {
        auto finished = co_await finish_raise(id, deadline);
        if (!finished) finish_raises_later();  // the change is made all the same
      }
      auto it = image_->topics.find(now->name);
      if (it == image_->topics.end() || it->second->id != id) co_return gone(id);
      co_return it->second;
    }
    // A compare failed. If the topic is what it was, it was one of the caller's own conditions.
    if (change.unchanged_in(*image_) && !others.conditions.empty())
      co_return Error(ErrorCode::kFenced, "a condition of the change does not hold any more");
  }
  co_return Error(ErrorCode::kConflict, "topic " + id.to_string() + " keeps changing");
}

Task<Result<bool>> MetadataManager::commit_change(TopicChange& change, MetaTxn others, Deadline deadline) {
  Revision first = 0;
  auto ahead = change.ahead();
  if (!ahead.empty()) CO_CHECK(co_await finish_undo(deadline));
  for (auto& part : ahead) {
    Apply nothing;
    auto written = co_await commit_locked(std::move(part), std::move(nothing), deadline);
    if (!written) co_return co_await undo_ahead(change.undo_ahead(), written.error());
    if (first == 0) first = written->revision;
  }
  change.ahead_is_written(first);
  MetaTxn txn = change.txn();
  if (txn.then.empty() && others.then.empty() && others.conditions.empty()) co_return true;
  txn.conditions.insert(txn.conditions.end(), others.conditions.begin(), others.conditions.end());
  txn.then.insert(txn.then.end(), others.then.begin(), others.then.end());
  Apply apply = [&change](ClusterImage& image, Revision revision) { change.apply(image, revision); };
  auto reply = co_await commit_locked(std::move(txn), std::move(apply), deadline);
  if (!reply && reply.error() == ErrorCode::kAmbiguous) {
    CO_CHECK(co_await catch_up(deadline));
    if (!change.applied_in(*image_)) co_return std::move(reply).error();
    co_return true;
  }
  if (!ahead.empty() && !(reply && reply->succeeded))
    (void)co_await undo_ahead(change.undo_ahead(), Error(ErrorCode::kConflict));
  if (!reply) co_return std::move(reply).error();
  co_return reply->succeeded;
}

// Requires lock_.
Task<Status> MetadataManager::finish_raise(TopicId id, Deadline deadline) {
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    const TopicImage* found = image_->topic(id);
    if (!found || found->raising.empty()) co_return ok();
    TopicPtr now = image_->topics.at(found->name);
    auto next = std::make_shared<TopicImage>(*now);
    bool wrote = false;
    auto written = co_await write_raised(*next, wrote, deadline);
    if (written && *written) {
      next->raising.clear();
      MetaTxn nothing;
      TopicChange change(now, next, next->partitions.size(), nothing, env_.random());
      written = co_await commit_change(change, std::move(nothing), deadline);
      if (written && *written) co_return ok();
    }
    // The image has not followed write_raised(). If nothing was written it is true: all metadata is much to read.
    if (written || wrote) CO_CHECK(co_await load(deadline));
    if (!written) co_return std::move(written).error();
  }
  co_return Error(ErrorCode::kConflict, "the partitions of topic " + id.to_string() + " keep changing");
}

Task<Result<bool>> MetadataManager::write_raised(TopicImage& topic, bool& wrote, Deadline deadline) {
  for (;;) {
    std::vector<size_t> raised;
    MetaTxn txn = raise_txn(topic, raised);
    if (raised.empty()) co_return true;
    Apply nothing;
    auto reply = co_await commit_locked(std::move(txn), std::move(nothing), deadline);
    wrote |= reply ? reply->succeeded : reply.error() == ErrorCode::kAmbiguous;
    if (!reply) co_return std::move(reply).error();
    if (!reply->succeeded) co_return false;
    for (size_t i : raised) {
      topic.partitions[i].behind = false;
      topic.partitions[i].mod_revision = reply->revision;
    }
  }
}

void MetadataManager::finish_raises_later() {
  if (!finishing_) finishing_ = spawn(gate_, "finish raised epochs", finish_raises());
}

Task<void> MetadataManager::finish_raises() {
  Duration pause = kFollowPause;
  while (!stopped_) {
    auto found = std::find_if(image_->topics.begin(), image_->topics.end(),
                              [](const auto& entry) { return !entry.second->raising.empty(); });
    if (found == image_->topics.end()) break;
    auto finished = co_await finish_raise_alone(found->second->id);
    if (finished) pause = kFollowPause;
    if (finished || stopped_) continue;
    env_.log().warn("epochs of partitions are not written yet", {{"error", finished.error()}});
    co_await env_.sleep(pause);
    pause = std::min(2 * pause, kFinishPauseMax);
  }
  finishing_ = false;
}

Task<Status> MetadataManager::finish_raise_alone(TopicId id) {
  auto guard = co_await lock_.lock();
  co_return co_await finish_raise(id, env_.in(kFollowDeadline));
}

Task<Result<MetaSnapshot>> MetadataManager::range(std::string begin, std::string end, Deadline deadline,
                                                  size_t entries_max) {
  CO_CHECK(check_open_range(begin, end));
  co_return co_await store_->range(std::move(begin), std::move(end), deadline, entries_max);
}

Task<Result<MetaTxnReply>> MetadataManager::commit(MetaTxn txn, Deadline deadline) {
  CO_CHECK(check_open_writes(txn));
  auto guard = co_await lock_.lock();
  Apply nothing;
  co_return co_await commit_locked(std::move(txn), std::move(nothing), deadline);
}

}  // namespace farshore::broker
