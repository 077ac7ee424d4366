#include "linker/link/tasks/config_sync.h"

namespace farshore::linker {
namespace {

using Configs = ConfigSync::Configs;

std::string value_in(const Configs& configs, const std::string& key) {
  auto found = configs.find(key);
  return found == configs.end() ? "default" : found->second;
}

bool has(const Configs& configs, const std::string& key, const std::string& value) {
  auto found = configs.find(key);
  return found != configs.end() && found->second == value;
}

}  // namespace

Task<void> ConfigSync::sync(TopicConfigs source, Deadline deadline) {
  auto synced = co_await sync_topics(std::move(source), deadline);
  ran(synced);
}

Task<Status> ConfigSync::sync_topics(TopicConfigs source, Deadline deadline) {
  std::vector<std::string> names;
  for (const auto& [name, topic] : link_.topics.all())
    if (topic->pumping()) names.push_back(name);
  if (names.empty()) co_return ok();
  CO_TRY(auto target, co_await link_.target.cluster().topic_configs(names, deadline));
  Status refused;
  for (const auto& name : names) {
    MirrorTopic& topic = *link_.topics.find(name);
    auto there = source.find(topic.source_topic());
    if (there == source.end()) continue;  // deleted, or not selected any more: there is nothing to follow
    topic.note_caught_up();
    CO_CHECK(co_await sync_topic(topic, there->second, target[name], refused, deadline));
  }
  co_return refused;
}

Task<Status> ConfigSync::sync_topic(MirrorTopic& topic, Configs source, Configs target, Status& refused,
                                    Deadline deadline) {
  const LinkSpec& spec = link_.definition.spec();
  Configs followed;
  for (const auto& [key, value] : source)
    if (follows(spec, key)) followed[key] = value;
  CO_TRY(auto plan, co_await link_.target.configs(topic.name(), std::move(followed), topic.was_caught_up(), deadline));
  std::map<std::string, std::optional<std::string>> changes;
  // Replaces the topic's drift only at the end, so that a value that is refused again stays shown meanwhile.
  auto drift = std::move(plan.drift);
  for (const auto& [key, value] : plan.wanted)
    if (!has(target, key, value)) changes[key] = value;
  for (const auto& [key, value] : source)
    if (!follows(spec, key) && !has(target, key, value))
      drift.push_back(key + ": source " + value + ", target " + value_in(target, key));
  for (const auto& entry : target)
    if (!plan.wanted.count(entry.first) && !plan.keep.count(entry.first) && follows(spec, entry.first))
      changes[entry.first] = std::nullopt;
  for (auto& change : changes) {
    std::map<std::string, std::optional<std::string>> one{change};
    auto altered = co_await link_.target.cluster().alter_topic_configs(topic.name(), std::move(one), deadline);
    if (altered) continue;
    drift.push_back(change.first + ": source " + change.second.value_or("default") + ", target " +
                    value_in(target, change.first) + ": " + altered.error().to_string());
    if (error_retriable(altered.error().code)) refused = altered;
  }
  topic.set_drift(std::move(drift));
  co_return ok();
}

}  // namespace farshore::linker
