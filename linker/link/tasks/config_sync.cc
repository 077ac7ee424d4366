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

// Kafka takes an empty cleanup.policy: nothing is ever deleted. Others say that by retention without limit.
void keep_all_without_policy(Configs& configs) {
  auto policy = configs.find("cleanup.policy");
  if (policy == configs.end() || !policy->second.empty()) return;
  policy->second = "delete";
  configs["retention.ms"] = configs["retention.bytes"] = "-1";
}

}  // namespace

Task<Result<ConfigSync::TopicConfigs>> ConfigSync::source_configs(std::vector<std::string> topics, Deadline deadline) {
  ClusterAdmin& source = link_.source.admin();
  CO_TRY(TopicConfigs set, co_await source.topic_configs(topics, deadline));
  for (auto& entry : set) keep_all_without_policy(entry.second);
  if (link_.definition.spec().config_defaults == ConfigDefaults::kTarget) co_return set;
  CO_TRY(TopicConfigs effective, co_await source.effective_configs(std::move(topics), deadline));
  for (auto& [topic, values] : effective) {
    keep_all_without_policy(values);
    for (const auto& key : data_configs())
      if (auto value = values.find(key); value != values.end()) set[topic].try_emplace(key, value->second);
  }
  co_return set;
}

Task<void> ConfigSync::sync(TopicConfigs source, Deadline deadline) {
  auto synced = co_await sync_topics(std::move(source), deadline);
  ran(synced);
}

Task<Status> ConfigSync::sync_topics(TopicConfigs source, Deadline deadline) {
  std::vector<std::string> names, source_names;
  for (const auto& [name, topic] : link_.topics.all()) {
    if (!topic->pumping()) continue;
    names.push_back(name);
    source_names.push_back(topic->source_topic());
  }
  if (names.empty()) co_return ok();
  const bool targets_defaults = link_.definition.spec().config_defaults == ConfigDefaults::kTarget;
  CO_TRY(auto target, co_await link_.target.cluster().topic_configs(names, deadline));
  CO_TRY(auto target_effective, co_await link_.target.cluster().effective_configs(names, deadline));
  TopicConfigs source_effective;
  if (targets_defaults) {
    CO_TRY(source_effective, co_await link_.source.admin().effective_configs(std::move(source_names), deadline));
  }
  Status refused;
  for (const auto& name : names) {
    MirrorTopic& topic = *link_.topics.find(name);
    auto there = source.find(topic.source_topic());
    if (there == source.end()) continue;  // deleted, or not selected any more: there is nothing to follow
    topic.note_caught_up();
    auto policy = there->second.find("cleanup.policy");
    topic.set_compacted(policy != there->second.end() && policy->second.find("compact") != std::string::npos);
    OfTopic configs;
    configs.source = there->second;
    configs.target = target[name];
    configs.target_effective = target_effective[name];
    if (targets_defaults) configs.source_effective = source_effective[topic.source_topic()];
    CO_CHECK(co_await sync_topic(topic, std::move(configs), refused, deadline));
  }
  co_return refused;
}

std::vector<std::string> ConfigSync::drift_of(const OfTopic& configs) const {
  const LinkSpec& spec = link_.definition.spec();
  std::vector<std::string> drift;
  auto compare = [&](const std::string& key, const std::string& value) {
    if (!has(configs.target_effective, key, value))
      drift.push_back(key + ": source " + value + ", target " + value_in(configs.target_effective, key));
  };
  for (const auto& [key, value] : configs.source)
    if (!follows(spec, key)) compare(key, value);
  if (!configs.source_effective) return drift;
  for (const auto& key : data_configs()) {
    auto value = configs.source_effective->find(key);
    if (value != configs.source_effective->end() && configs.source.count(key) == 0) compare(key, value->second);
  }
  return drift;
}

Task<Status> ConfigSync::sync_topic(MirrorTopic& topic, OfTopic configs, Status& refused, Deadline deadline) {
  const LinkSpec& spec = link_.definition.spec();
  const Configs& target = configs.target;
  Configs followed;
  for (const auto& [key, value] : configs.source)
    if (follows(spec, key)) followed[key] = value;
  CO_TRY(auto plan, co_await link_.target.configs(topic.name(), std::move(followed), topic.was_caught_up(), deadline));
  std::map<std::string, std::optional<std::string>> changes;
  // Replaces the topic's drift only at the end, so that a value that is refused again stays shown meanwhile.
  auto drift = std::move(plan.drift);
  for (const auto& [key, value] : plan.wanted)
    if (!has(target, key, value)) changes[key] = value;
  for (auto& line : drift_of(configs)) drift.push_back(std::move(line));
  for (const auto& entry : target)
    if (!plan.wanted.count(entry.first) && !plan.keep.count(entry.first) && follows(spec, entry.first))
      changes[entry.first] = std::nullopt;
  for (auto& change : changes) {
    std::map<std::string, std::optional<std::string>> one{change};
    auto altered = co_await link_.target.cluster().alter_topic_configs(topic.name(), std::move(one), deadline);
    if (altered) continue;
    if (altered.error() == ErrorCode::kFenced) co_return altered;
    drift.push_back(change.first + ": source " + change.second.value_or("default") + ", target " +
                    value_in(configs.target_effective, change.first) + ": " + altered.error().to_string());
    if (error_retriable(altered.error().code)) refused = altered;
  }
  topic.set_drift(std::move(drift));
  co_return ok();
}

}  // namespace farshore::linker
