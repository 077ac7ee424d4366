#include "linker/link/model/mirror_topics.h"

#include <algorithm>

namespace farshore::linker {

MirrorTopics::MirrorTopics(Env& env, replicator::Replicator& replicator, const LinkDefinition& definition)
    : env_(env), replicator_(replicator), definition_(definition) {}

std::vector<std::string> MirrorTopics::names() const {
  std::vector<std::string> names;
  names.reserve(topics_.size());
  for (const auto& [name, topic] : topics_)
    if (!topic->left_out()) names.push_back(name);
  return names;
}

MirrorTopic* MirrorTopics::find(const std::string& name) const {
  auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Result<MirrorTopic*> MirrorTopics::get(const std::string& name) const {
  if (MirrorTopic* topic = find(name)) return topic;
  return Error(ErrorCode::kNotFound, "link " + definition_.spec().name + " has no mirror topic " + name);
}

MirrorTopic* MirrorTopics::of_pump(const LinkPartition& key) const {
  auto found = by_source_topic_.find(key.source_topic);
  return found != by_source_topic_.end() && found->second->has_pump(key) ? found->second : nullptr;
}

std::vector<LinkPartition> MirrorTopics::pumps() const {
  std::vector<LinkPartition> keys;
  for (const auto& entry : topics_) keys.insert(keys.end(), entry.second->pumps().begin(), entry.second->pumps().end());
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::string MirrorTopics::partition_name(const LinkPartition& key) const {
  const MirrorTopic* topic = of_pump(key);
  return (topic ? topic->name() : std::string("?")) + "-" + std::to_string(key.partition.value());
}

MirrorTopic& MirrorTopics::add(const std::string& name, const std::string& source_topic) {
  auto& topic = topics_[name];
  if (!topic) topic = std::make_unique<MirrorTopic>(env_, replicator_, definition_.spec().name, name, source_topic);
  return *topic;
}

void MirrorTopics::start(MirrorTopic& topic, int32_t partitions) {
  topic.start(partitions, definition_.topic_paused(topic.name()), definition_.paused());
  if (!topic.pumps().empty()) by_source_topic_[topic.pumps().front().source_topic] = &topic;
}

void MirrorTopics::apply_pauses(bool was_paused) {
  for (auto& [name, topic] : topics_) {
    const bool topic_paused = definition_.topic_paused(name);
    const bool pause = definition_.paused() || topic_paused;
    if (topic->ending()) continue;  // a promote is at work, or nothing is copied any more
    if (pause) {
      topic->pause_pumps();  // also of a topic that is FAILED: its other partitions are copied
      if (topic_paused && !topic->pumps().empty()) topic->pause();
    } else if (topic->state() == MirrorState::kPaused || (was_paused && topic->pumping())) {
      topic->resume();
    } else if (was_paused) {
      topic->unpause_pumps();  // FAILED, as before
    }
  }
}

void MirrorTopics::fail_partition(const LinkPartition& key, const std::string& why) {
  MirrorTopic* topic = of_pump(key);
  if (topic && topic->pumping()) topic->fail("partition " + std::to_string(key.partition.value()) + ": " + why);
}

void MirrorTopics::fail_with_their_pumps() {
  for (const auto& entry : topics_) {
    MirrorTopic& topic = *entry.second;
    if (!topic.pumping() || !topic.has_failed_pump()) continue;
    for (const auto& key : topic.pumps()) {
      auto progress = replicator_.progress(key);
      if (!progress || progress->pump.phase != replicator::PumpPhase::kFailed) continue;
      if (progress->pump.failure == ErrorCode::kFenced) continue;  // FenceRecovery or LinkStatus decides
      fail_partition(key, progress->pump.failure.to_string());
      break;
    }
  }
}

void MirrorTopics::stop_all(const std::string& why) {
  for (const auto& entry : topics_)
    if (entry.second->state() != MirrorState::kStopped) entry.second->fail_and_stop(why);
}

void MirrorTopics::forget_unselected() {
  for (auto it = topics_.begin(); it != topics_.end();) {
    const MirrorTopic& topic = *it->second;
    const bool nothing_there = topic.pumps().empty() && !topic.ending();
    if (!nothing_there || selected(definition_.spec().topics, topic.source_topic()) ||
        forgotten_.size() == kForgottenMax) {
      ++it;
      continue;
    }
    env_.log().info("mirror topic forgotten: nothing is mirrored, and the link's filters do not select it",
                    {{"link", definition_.spec().name}, {"topic", topic.name()}, {"state", topic.state_name()}});
    forgotten_.push_back(std::move(it->second));
    it = topics_.erase(it);
  }
}

bool MirrorTopics::forget(const std::string& name) {
  auto found = topics_.find(name);
  if (found == topics_.end() || forgotten_.size() == kForgottenMax) return false;
  ensure(found->second->pumps().empty(), "a topic that is forgotten has no pumps");
  env_.log().info("mirror topic forgotten: it had ended, and was deleted at the target",
                  {{"link", definition_.spec().name}, {"topic", name}});
  forgotten_.push_back(std::move(found->second));
  topics_.erase(found);
  return true;
}

void MirrorTopics::remark_selection() {
  for (const auto& entry : topics_) {
    const bool chosen = selected(definition_.spec().topics, entry.second->source_topic());
    entry.second->set_remark(chosen ? std::string()
                                    : "the link's filters do not select it any more; it is mirrored until it is "
                                      "paused, promoted or failed over");
  }
}

}  // namespace farshore::linker
