#include "linker/link/tasks/config_sync.h"

#include "base/side_by_side.h"

namespace farshore::linker {
namespace {

using Configs = ConfigSync::Configs;

constexpr size_t kTopicsSyncedAtOnce = 16;  // of those that have something to change

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
  CO_TRY(auto both, co_await source.set_and_effective_configs(std::move(topics), deadline));
  auto& [set, effective] = both;
  for (auto& entry : set) keep_all_without_policy(entry.second);
  if (link_.definition.spec().config_defaults == ConfigDefaults::kTarget) co_return std::move(set);
  for (auto& [topic, values] : effective) {
    keep_all_without_policy(values);
    for (const auto& key : data_configs())
      if (auto value = values.find(key); value != values.end()) set[topic].try_emplace(key, value->second);
  }
  co_return std::move(set);
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
  Round round;
  round.source = std::move(source);
  CO_TRY(round.target, co_await link_.target.cluster().set_and_effective_configs(names, deadline));
  if (link_.definition.spec().config_defaults == ConfigDefaults::kTarget) {
    CO_TRY(round.source_effective, co_await link_.source.admin().effective_configs(std::move(source_names), deadline));
  }
  OneOfMany one = [&](size_t i) { return sync_one(names[i], round, deadline); };
  co_await side_by_side(link_.env, names.size(), kTopicsSyncedAtOnce, std::move(one));
  co_return round.failed ? round.refused : round.failed;
}

Task<void> ConfigSync::sync_one(const std::string& name, Round& round, Deadline deadline) {
  MirrorTopic* topic = link_.topics.find(name);
  if (!round.failed || !topic) co_return;
  auto there = round.source.find(topic->source_topic());
  if (there == round.source.end()) co_return;  // deleted, or not selected any more: there is nothing to follow
  topic->note_caught_up();
  auto policy = there->second.find("cleanup.policy");
  topic->set_compacted(policy != there->second.end() && policy->second.find("compact") != std::string::npos);
  OfTopic configs;
  configs.source = there->second;
  configs.target = round.target.set[name];
  configs.target_effective = round.target.effective[name];
  if (round.source_effective) configs.source_effective = (*round.source_effective)[topic->source_topic()];
  auto synced = co_await sync_topic(*topic, std::move(configs), round.refused, deadline);
  if (!synced) round.failed = std::move(synced);
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
