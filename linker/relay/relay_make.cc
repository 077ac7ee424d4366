// How a relay's topic comes to be at the target: made there, or found as it should be, or refused.
#include "linker/relay/relay_configs.h"
#include "linker/relay/relay_target.h"

namespace farshore::linker {
namespace {

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

// INVALID_CONFIG, or POLICY_VIOLATION: it may be for one value, or for the topic as a whole.
bool a_value_may_be_refused(const Error& error) {
  return error == ErrorCode::kInvalidArgument || error == ErrorCode::kResourceExhausted;
}

std::string drift_text(const std::string& key, const std::string& value, const Error& why) {
  return key + ": source " + value + ", target default: " + why.to_string();
}

}  // namespace

const std::map<std::string, std::string>& own_configs() {
  static const std::map<std::string, std::string> configs{
      {"compression.type", "producer"},
      {"message.timestamp.type", "CreateTime"},
  };
  return configs;
}
const std::map<std::string, std::string>& any_timestamp() {
  static const std::map<std::string, std::string> configs{
      {"message.timestamp.before.max.ms", "9223372036854775807"},
      {"message.timestamp.after.max.ms", "9223372036854775807"},
  };
  return configs;
}

Task<Status> RelayTarget::not_of_another_link(std::string topic, Deadline deadline) {
  CO_TRY(auto all, co_await services_.store.list(std::string(kLinkKeyPrefix), deadline));
  std::set<std::string> links;
  for (const auto& entry : all) links.insert(entry.key);
  for (const auto& entry : all) {
    const LinkKey key = parse_link_key(entry.key);
    if (key.kind == LinkKey::Kind::kRelayTopic && key.child == topic && key.link != name_ &&
        links.count(link_key(key.link)))
      co_return refused("topic " + topic + " at the target belongs to another link, " + key.link +
                        ": two links cannot fill one topic; give this one a --prefix");
  }
  co_return ok();
}

Task<Status> RelayTarget::check_source(const TopicInfo& topic, LinkSource source,
                                       std::map<std::string, std::string>& configs, Deadline deadline) {
  if (topic.id.is_zero())
    co_return Error(ErrorCode::kUnsupported,
                    "the source is too old to have topic ids (before Apache Kafka 2.8): that " + topic.name +
                        " was made anew could not be noticed");
  kafka::TopicAdmin at_source(source.cluster);
  CO_TRY(auto effective, co_await at_source.effective_configs(topic.name, deadline));
  if (effective["message.timestamp.type"] == "LogAppendTime")
    co_return Error(
        ErrorCode::kUnsupported,
        "source topic " + topic.name +
            " has message.timestamp.type=LogAppendTime: the times that its broker gave would be lost on the "
            "way, so it is not relayed");
  if (!effective["max.message.bytes"].empty()) configs["max.message.bytes"] = effective["max.message.bytes"];
  co_return ok();
}

// Own configs and retention must hold, or the relay would lose records; what the source says beside them, need not.
Task<Result<RelayTarget::Drift>> RelayTarget::create_at_target(RelayTopic topic, RelayConfigs configs, bool dry_run,
                                                               Deadline deadline) {
  auto made = co_await topics_.create(topic.topic, topic.partitions, configs.all(), dry_run, deadline);
  if (made) co_return Drift();
  if (!a_value_may_be_refused(made.error())) co_return std::move(made).error();
  CO_CHECK(co_await topics_.create(topic.topic, topic.partitions, configs.needed, true, deadline));
  Drift drift;
  auto accepted = configs.needed;
  for (const auto& [key, value] : configs.followed) {
    auto with_one = configs.needed;
    with_one[key] = value;
    auto one = co_await topics_.create(topic.topic, topic.partitions, std::move(with_one), true, deadline);
    if (one) {
      accepted[key] = value;
    } else if (!a_value_may_be_refused(one.error())) {
      co_return std::move(one).error();
    } else if (!any_timestamp().count(key)) {
      drift.push_back(drift_text(key, value, one.error()));
    }
  }
  CO_CHECK(co_await topics_.create(topic.topic, topic.partitions, std::move(accepted), dry_run, deadline));
  co_return drift;
}

// One that somebody else made: before the first batch, which LogAppendTime, say, would spoil for ever.
Task<Result<RelayTarget::Drift>> RelayTarget::configure_at_target(std::string topic, RelayConfigs configs,
                                                                  Deadline deadline) {
  std::map<std::string, std::optional<std::string>> needed;
  for (const auto& [key, value] : configs.needed) needed[key] = value;
  CO_CHECK(co_await cluster_.alter_topic_configs(topic, std::move(needed), deadline));
  Drift drift;
  for (const auto& [key, value] : configs.followed) {
    std::map<std::string, std::optional<std::string>> one{{key, value}};
    auto altered = co_await cluster_.alter_topic_configs(topic, std::move(one), deadline);
    if (altered) continue;
    if (!a_value_may_be_refused(altered.error())) co_return std::move(altered).error();
    if (!any_timestamp().count(key)) drift.push_back(drift_text(key, value, altered.error()));
  }
  co_return drift;
}

// What the controller has made, the brokers show a moment later.
Task<Result<TopicInfo>> RelayTarget::until_shown(std::string topic, int32_t partitions, Deadline deadline) {
  for (;;) {
    CO_TRY(auto there, co_await topics_.find(topic, deadline));
    if (there && there->partitions >= partitions) co_return std::move(*there);
    CO_CHECK(co_await cluster_.client().pause(1, deadline));
  }
}

Task<Result<RelayTarget::Drift>> RelayTarget::make_at_target(RelayTopic topic, RelayConfigs configs,
                                                             Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  bool was_made = false;
  Drift drift;
  if (!there) {
    auto made = co_await create_at_target(topic, configs, false, deadline);
    if (!made && made.error() != ErrorCode::kAlreadyExists) co_return std::move(made).error();
    was_made = made.has_value();
    if (made) drift = std::move(*made);
    CO_TRY(there, co_await until_shown(topic.topic, topic.partitions, deadline));
  }
  if (there->partitions != topic.partitions)
    co_return refused("topic " + topic.topic + " is at the target already, with " + std::to_string(there->partitions) +
                      " partitions; the source has " + std::to_string(topic.partitions));
  CO_TRY(bool empty, co_await topics_.never_written(topic.topic, topic.partitions, deadline));
  if (!empty)
    co_return refused("topic " + topic.topic +
                      " is at the target already and holds records that this link did not relay: delete it there, or "
                      "give the link a --prefix");
  if (!was_made) {
    CO_TRY(drift, co_await configure_at_target(topic.topic, std::move(configs), deadline));
  }
  topic.id = TargetTopicId(there->id);
  CO_CHECK(co_await keep(std::move(topic), deadline));
  co_return drift;
}

Task<Status> RelayTarget::grow(RelayTopic topic, int32_t partitions, Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  if (there && there->partitions > partitions)
    co_return refused("topic " + topic.topic + " has " + std::to_string(there->partitions) +
                      " partitions at the target, the source has " + std::to_string(partitions));
  if (there && there->partitions < partitions) {
    CO_CHECK(co_await topics_.grow(topic.topic, partitions, deadline));
    CO_CHECK(co_await until_shown(topic.topic, partitions, deadline));
  }
  topic.partitions = partitions;
  co_return co_await keep(std::move(topic), deadline);
}

Task<Result<TargetTopic>> RelayTarget::make(WantedTopic wanted, LinkSource source, Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  const RelayTopic* before = kept(wanted.topic);
  const bool known = before != nullptr;
  RelayTopic topic;
  if (known) topic = *before;
  if (topic.promotion) co_return target_topic(topic);
  if (known && (topic.source_id != SourceTopicId(wanted.source.id) || topic.source_cluster_id != source_cluster_id_))
    co_return refused("source topic " + wanted.source.name + " was deleted and made anew: its id is " +
                      wanted.source.id.to_string() + ", relayed was " + topic.source_id.to_string() +
                      "; fail the topic over, or delete it at the target and make a new link");
  auto configs = wanted.configs;
  CO_CHECK(co_await check_source(wanted.source, source, configs, deadline));
  CO_CHECK(co_await not_of_another_link(wanted.topic, deadline));
  if (known && !topic.id.is_zero()) {
    CO_CHECK(co_await check_target(topic, deadline));
    if (topic.partitions < wanted.source.partitions && !wanted.dry_run)
      CO_CHECK(co_await grow(topic, wanted.source.partitions, deadline));
    co_return target_topic(kept_[wanted.topic].topic);
  }
  topic.link = link_;
  topic.topic = wanted.topic;
  topic.source_topic = wanted.source.name;
  topic.source_id = SourceTopicId(wanted.source.id);
  topic.source_cluster_id = source_cluster_id_;
  topic.partitions = wanted.source.partitions;
  RelayConfigs set;
  set.followed = any_timestamp();
  for (const auto& [key, value] : configs) set.followed[key] = value;
  set.needed = own_configs();
  for (const char* key : kRetentionKeys) {
    auto declared = configs.find(key);
    topic.declared[key] = declared == configs.end() ? std::nullopt : std::optional<std::string>(declared->second);
    set.needed[key] = kKeepAll;
  }
  for (const auto& [key, value] : set.needed) set.followed.erase(key);
  if (wanted.dry_run) {
    CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
    if (!there) {
      CO_TRY(Drift drift, co_await create_at_target(topic, std::move(set), true, deadline));
      TargetTopic planned = target_topic(topic);
      planned.drift = std::move(drift);
      co_return planned;
    }
    CO_TRY(bool empty, co_await topics_.never_written(topic.topic, there->partitions, deadline));
    if (!empty || there->partitions != topic.partitions)
      co_return refused("topic " + topic.topic + " is at the target already" +
                        (empty ? " with another number of partitions" : " and holds records"));
    co_return target_topic(topic);
  }
  if (!known) CO_CHECK(co_await keep(topic, deadline));  // before it is made: nobody else takes the name meanwhile
  CO_TRY(Drift drift, co_await make_at_target(topic, std::move(set), deadline));
  TargetTopic made = target_topic(kept_[wanted.topic].topic);
  made.drift = std::move(drift);
  co_return made;
}

}  // namespace farshore::linker
