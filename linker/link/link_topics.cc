// Topic discovery of one link: which topics of the source it takes, what becomes of them at the target, and their
// configs.
#include <algorithm>

#include "linker/link/link_controller.h"

namespace farshore::linker {

Task<Status> LinkController::adopt(Deadline deadline) {
  // Before the source is asked: a gateway that starts after the source was lost must be able to fail over.
  CO_TRY(auto found, co_await target_->adopt(deadline));
  for (const auto& topic : found) {
    Mirror& mirror = mirrors_[topic.topic];
    if (!mirror.topic.empty()) continue;
    mirror.topic = topic.topic;
    mirror.source_topic = topic.source_topic;
    mirror.id = topic.id;
    mirror.source_id = topic.source_id;
    set_state(mirror, MirrorState::kActive, "");
    if (topic.promotion)
      ended(mirror, *topic.promotion);
    else
      add_pumps(mirror, topic.partitions);
  }
  adopted_ = true;
  co_return ok();
}

// What was deleted at the target under a running link: everything that went into it is lost there, and what would go
// on into another topic of the same name would be half a topic.
Task<Status> LinkController::fail_gone_topics(Deadline deadline) {
  CO_TRY(auto gone, co_await target_->gone(deadline));
  Status result;
  for (const auto& [name, why] : gone) {
    auto found = mirrors_.find(name);
    if (found == mirrors_.end() || !pumps(found->second.state)) continue;
    stop_pumps(found->second);
    set_state(found->second, MirrorState::kFailed, why);
    result = Error(ErrorCode::kNotFound, why);
  }
  co_return result;
}

// By what the source says, not only when it moves: the gateway that saw it move may be gone.
Task<Status> LinkController::forget_deleted_records(Deadline deadline) {
  Status result;
  std::vector<replicator::PumpKey> keys;
  keys.reserve(mirror_by_pump_.size());
  for (const auto& entry : mirror_by_pump_) keys.push_back(entry.first);
  for (const auto& key : keys) {
    auto progress = replicator_.progress(key);
    if (!progress || progress->pump.phase != replicator::PumpPhase::kRunning) continue;
    const SourceOffset log_start = progress->pump.source.log_start;
    auto before = forgotten_below_.find(key);
    if (log_start <= (before == forgotten_below_.end() ? SourceOffset(0) : before->second)) continue;
    auto forgotten = co_await target_->forget_below(key, log_start, deadline);
    if (forgotten)
      forgotten_below_[key] = log_start;
    else if (forgotten.error() != ErrorCode::kFenced)  // the next round tries again
      result = std::move(forgotten).error().in("forget what the source deleted");
  }
  co_return result;
}

Task<Status> LinkController::discover(Deadline deadline) {
  if (!adopted_) CO_CHECK(co_await adopt(deadline));
  // Before the source is asked, too: it has no part in this.
  auto all_there = co_await fail_gone_topics(deadline);
  CO_TRY(auto source, co_await identify(source_, deadline));
  CO_TRY(auto target, co_await identify(target_->cluster(), deadline));
  CO_CHECK(check_incarnation("source", source.cluster_id, link_.spec.source_incarnation, source.incarnation));
  CO_CHECK(check_incarnation("target", target.cluster_id, link_.spec.target_incarnation, target.incarnation));
  if (source.cluster_id == target.cluster_id)
    co_return Error(ErrorCode::kConflict,
                    "source and target are the same cluster (" + source.cluster_id.value() + "): a link joins two");
  if (auto fits = target_->fits(target); !fits) co_return Error(ErrorCode::kConflict, fits.error().detail);
  if (!salts_checked_) CO_CHECK(co_await refuse_equal_salts(source_, target_->cluster(), deadline));
  salts_checked_ = true;
  source_is_farshore_ = source.farshore;
  link_.spec.source_cluster_id = source.cluster_id;
  link_.spec.target_cluster_id = target.cluster_id;
  CO_TRY(auto topics, co_await source_.topics(deadline));
  last_source_contact_ = env_.now();
  std::vector<std::string> names;
  std::vector<TopicInfo> chosen;
  for (auto& topic : topics) {
    if (topic.internal || !selected(link_.spec.topics, topic.name)) continue;
    names.push_back(topic.name);
    chosen.push_back(std::move(topic));
  }
  CO_TRY(auto configs, co_await source_.topic_configs(names, deadline));
  Status result;
  for (auto& topic : chosen) {
    auto taken = co_await take_topic(topic, configs[topic.name], deadline);
    if (!taken && taken.error() == ErrorCode::kFenced) co_return taken;
    if (!taken) result = taken;
  }
  ran(configs_, co_await sync_configs(std::move(configs), deadline));
  auto forgotten = co_await forget_deleted_records(deadline);
  if (!forgotten && result) result = std::move(forgotten);
  if (!all_there && result) result = std::move(all_there);
  co_return result;
}

Task<Status> LinkController::take_topic(TopicInfo topic, std::map<std::string, std::string> configs,
                                        Deadline deadline) {
  const std::string name = target_topic_name(link_.spec, topic.name);
  Mirror& mirror = mirrors_[name];
  if (mirror.topic.empty()) {
    mirror.topic = name;
    mirror.source_topic = topic.name;
    mirror.since_ms = wall_ms();
  }
  // Ended, or about to be: nothing that discovery learns changes it any more, also not what it asked for before.
  auto ending = [&mirror] {
    return mirror.state == MirrorState::kStopped || mirror.state == MirrorState::kPendingStopped;
  };
  if (ending()) co_return ok();
  if (mirror.state == MirrorState::kFailed && mirror.source_id == SourceTopicId(topic.id))
    co_return ok();  // until it is resumed
  if (!mirror.pumps.empty() && mirror.source_id == SourceTopicId(topic.id) &&
      mirror.pumps.size() >= static_cast<size_t>(topic.partitions))
    co_return ok();
  WantedTopic wanted;
  wanted.topic = name;
  wanted.source = topic;
  for (auto& [key, value] : configs)
    if (follows(link_.spec, key)) wanted.configs[key] = value;
  auto made = co_await target_->make(std::move(wanted), source(), deadline);
  if (ending()) co_return ok();
  if (!made) {
    if (error_retriable(made.error().code)) co_return made.error();
    if (mirror.state != MirrorState::kFailed) {
      stop_pumps(mirror);
      set_state(mirror, MirrorState::kFailed, made.error().to_string());
    }
    co_return made.error();
  }
  mirror.id = made->id;
  mirror.source_id = made->source_id;
  mirror.drift = std::move(made->drift);
  if (made->promotion) {
    mirror.state = MirrorState::kActive;
    ended(mirror, *made->promotion);
    co_return ok();
  }
  add_pumps(mirror, topic.partitions);
  co_return ok();
}

bool LinkController::caught_up(const Mirror& mirror) const {
  if (mirror.pumps.empty()) return false;
  for (const auto& key : mirror.pumps) {
    auto progress = replicator_.progress(key);
    if (!progress || progress->pump.last_news == MonoTime() || progress->pump.lag_offsets > 0) return false;
  }
  return true;
}

Task<Status> LinkController::sync_configs(std::map<std::string, std::map<std::string, std::string>> source,
                                          Deadline deadline) {
  std::vector<std::string> names;
  for (const auto& [name, mirror] : mirrors_)
    if (pumps(mirror.state)) names.push_back(name);
  if (names.empty()) co_return ok();
  CO_TRY(auto target, co_await target_->cluster().topic_configs(names, deadline));
  Status result;
  for (const auto& name : names) {
    Mirror& mirror = mirrors_[name];
    if (!source.count(mirror.source_topic)) continue;  // gone, or not selected any more: nothing to follow
    mirror.caught_up = mirror.caught_up || caught_up(mirror);
    const auto& wanted = source[mirror.source_topic];
    auto& have = target[name];
    std::map<std::string, std::string> followed;
    for (const auto& [key, value] : wanted)
      if (follows(link_.spec, key)) followed[key] = value;
    CO_TRY(auto plan, co_await target_->configs(name, std::move(followed), mirror.caught_up, deadline));
    std::map<std::string, std::optional<std::string>> changes;
    auto drift = std::move(plan.drift);  // shown when it is whole: what is refused again was never gone
    for (const auto& [key, value] : plan.wanted)
      if (!have.count(key) || have[key] != value) changes[key] = value;
    for (const auto& [key, value] : wanted)
      if (!follows(link_.spec, key) && (!have.count(key) || have[key] != value))
        drift.push_back(key + ": source " + value + ", target " + (have.count(key) ? have[key] : "default"));
    for (const auto& [key, value] : have)
      if (!plan.wanted.count(key) && !plan.keep.count(key) && follows(link_.spec, key)) changes[key] = std::nullopt;
    for (auto& change : changes) {
      std::map<std::string, std::optional<std::string>> one{change};
      auto altered = co_await target_->cluster().alter_topic_configs(name, std::move(one), deadline);
      if (altered) continue;
      const std::string to = have.count(change.first) ? have[change.first] : "default";
      drift.push_back(change.first + ": source " + change.second.value_or("default") + ", target " + to + ": " +
                      altered.error().to_string());
      if (error_retriable(altered.error().code)) result = altered;
    }
    mirror.drift = std::move(drift);
  }
  co_return result;
}

}  // namespace farshore::linker
