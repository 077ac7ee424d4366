#include "linker/relay/topic_setup.h"

namespace farshore::linker {
namespace {

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

// INVALID_CONFIG and POLICY_VIOLATION do not say whether one config is meant, or the topic as a whole.
bool may_mean_one_config(const Error& error) {
  return error == ErrorCode::kInvalidArgument || error == ErrorCode::kResourceExhausted;
}

std::string drift_text(const std::string& key, const std::string& value, const Error& why) {
  return key + ": source " + value + ", target default: " + why.to_string();
}

}  // namespace

TopicSetup::TopicSetup(Relay relay, LinkSource source, WantedTopic wanted)
    : relay_(std::move(relay)), admin_(relay_.target), source_(source), wanted_(std::move(wanted)) {}

Task<Result<TargetTopic>> TopicSetup::run(Deadline deadline) {
  CO_CHECK(co_await relay_.topics.load(deadline));
  const Status readable = relay_.topics.check_readable(wanted_.topic);
  if (!readable) CO_CHECK(co_await replace_unreadable(readable, deadline));
  const RelayTopic* before = relay_.topics.find(wanted_.topic);
  RelayTopic topic;
  const bool known = before != nullptr;
  if (known) topic = *before;
  if (topic.promotion) co_return target_topic(topic);
  bool anew = false;
  if (known) {
    CO_TRY(anew, co_await starts_over(topic, deadline));
  }
  if (known && !anew && !same_source(topic))
    co_return refused("source topic " + wanted_.source.name + " was deleted and made anew: its id is " +
                      wanted_.source.id.to_string() + ", relayed was " + topic.source_id.to_string() +
                      "; to relay the new one, delete topic " + wanted_.topic +
                      " at the target: the link makes it again; to keep the old records there, fail it over");
  CO_CHECK(co_await check_source(deadline));
  CO_CHECK(co_await relay_.topics.check_owner(wanted_.topic, deadline));
  if (known && !anew && !topic.id.is_zero()) co_return co_await keep_known(std::move(topic), deadline);
  topic = new_record();
  RelayTopicConfigs configs = RelayTopicConfigs::for_new_topic(wanted_.configs);
  if (wanted_.dry_run) co_return co_await plan(std::move(topic), std::move(configs), deadline);
  if (!readable)
    topic.forgets = FormerRelay{topic.source_id, topic.partitions};  // if that was relayed, nobody can tell
  if (!known) CO_CHECK(co_await relay_.topics.add(topic, deadline));
  if (anew) CO_CHECK(co_await store_start(topic, deadline));
  CO_CHECK(co_await forget_former(deadline));
  auto drift = co_await make(std::move(topic), std::move(configs), deadline);
  if (!drift) {
    if (auto left_out = left_out_for_its_name(wanted_.topic, drift.error())) co_return std::move(*left_out);
    co_return std::move(drift).error();
  }
  TargetTopic made = target_topic(*relay_.topics.find(wanted_.topic));
  made.drift = std::move(*drift);
  co_return made;
}

Task<Status> TopicSetup::replace_unreadable(Status readable, Deadline deadline) {
  if (!wanted_.start_over) co_return readable;
  RelayTopic unknown;
  unknown.topic = wanted_.topic;
  CO_TRY(const bool gone, co_await relay_.presence.is_gone(std::move(unknown), deadline));
  co_return gone ? ok() : readable;
}

bool TopicSetup::same_source(const RelayTopic& known) const {
  return known.source_id == SourceTopicId(wanted_.source.id) && known.source_cluster_id == relay_.source_cluster_id;
}

Task<Result<bool>> TopicSetup::starts_over(RelayTopic known, Deadline deadline) {
  if (known.id.is_zero()) co_return !same_source(known);  // nothing was relayed yet
  if (!wanted_.start_over) co_return false;
  co_return co_await relay_.presence.is_gone(std::move(known), deadline);
}

Task<Status> TopicSetup::store_start(RelayTopic fresh, Deadline deadline) {
  RelayTopicStore::Change start = [&fresh](RelayTopic& stored) {
    if (!stored.id.is_zero()) stored.forgets = FormerRelay{stored.source_id, stored.partitions};
    fresh.forgets = stored.forgets;
    fresh.promotions_before = stored.promotions_before;
    stored = fresh;
    return ok();
  };
  CO_TRY(RelayTopic stored, co_await relay_.topics.change(fresh.topic, std::move(start), deadline));
  co_return ok();
}

Task<Status> TopicSetup::forget_former(Deadline deadline) {
  const RelayTopic* now = relay_.topics.find(wanted_.topic);
  if (!now || !now->forgets) co_return ok();
  const FormerRelay former = *now->forgets;
  for (int32_t p = 0; p < former.partitions; ++p) {
    const LinkPartition key{relay_.link, former.source_id, PartitionId(p)};
    CO_CHECK(co_await relay_.sink.forget(key, deadline));
  }
  RelayTopicStore::Change forgotten = [](RelayTopic& stored) {
    stored.forgets.reset();
    return ok();
  };
  CO_TRY(RelayTopic stored, co_await relay_.topics.change(wanted_.topic, std::move(forgotten), deadline));
  co_return ok();
}

Task<Status> TopicSetup::check_source(Deadline deadline) {
  const TopicInfo& topic = wanted_.source;
  if (topic.id.is_zero())
    co_return Error(ErrorCode::kUnsupported,
                    "source: topic " + topic.name +
                        " has no id, because the source is older than Apache Kafka 2.8: if the topic were deleted and "
                        "created again, that could not be noticed; update the source");
  kafka::TopicAdmin at_source(source_.cluster);
  CO_TRY(auto effective, co_await at_source.effective_configs(topic.name, deadline));
  if (effective["message.timestamp.type"] == "LogAppendTime")
    co_return Error(
        ErrorCode::kUnsupported,
        "source topic " + topic.name +
            " has message.timestamp.type=LogAppendTime: the times that its broker gave would be lost on the "
            "way, so it is not relayed");
  if (!effective["max.message.bytes"].empty()) wanted_.configs["max.message.bytes"] = effective["max.message.bytes"];
  co_return ok();
}

Task<Result<TargetTopic>> TopicSetup::keep_known(RelayTopic known, Deadline deadline) {
  CO_CHECK(co_await relay_.presence.check(known, deadline));
  if (known.partitions < wanted_.source.partitions && !wanted_.dry_run)
    CO_CHECK(co_await grow(std::move(known), deadline));
  co_return target_topic(*relay_.topics.find(wanted_.topic));
}

Task<Status> TopicSetup::grow(RelayTopic known, Deadline deadline) {
  const int32_t partitions = wanted_.source.partitions;
  CO_TRY(auto there, co_await admin_.find(known.topic, deadline));
  if (there && there->partitions > partitions)
    co_return refused("topic " + known.topic + " has " + std::to_string(there->partitions) +
                      " partitions at the target, the source has " + std::to_string(partitions) +
                      ": delete it at the target, or create the link with --prefix");
  if (there && there->partitions < partitions) {
    CO_CHECK(co_await admin_.grow(known.topic, partitions, deadline));
    CO_CHECK(co_await until_shown(known.topic, partitions, deadline));
  }
  RelayTopicStore::Change grown = [partitions](RelayTopic& topic) {
    topic.partitions = std::max(topic.partitions, partitions);
    return ok();
  };
  CO_TRY(RelayTopic stored, co_await relay_.topics.change(known.topic, std::move(grown), deadline));
  co_return ok();
}

RelayTopic TopicSetup::new_record() const {
  RelayTopic topic;
  topic.link = relay_.link;
  topic.topic = wanted_.topic;
  topic.source_topic = wanted_.source.name;
  topic.source_id = SourceTopicId(wanted_.source.id);
  topic.source_cluster_id = relay_.source_cluster_id;
  topic.partitions = wanted_.source.partitions;
  topic.declared = RelayTopicConfigs::declared_retention(wanted_.configs);
  return topic;
}

Task<Result<TargetTopic>> TopicSetup::plan(RelayTopic topic, RelayTopicConfigs configs, Deadline deadline) {
  TargetTopic planned = target_topic(topic);
  CO_TRY(auto there, co_await admin_.find(topic.topic, deadline));
  if (!there) {
    auto drift = co_await create(std::move(topic), std::move(configs), true, deadline);
    if (!drift) {
      if (auto left_out = left_out_for_its_name(wanted_.topic, drift.error())) co_return std::move(*left_out);
      co_return std::move(drift).error();
    }
    planned.drift = std::move(*drift);
    co_return planned;
  }
  CO_TRY(bool empty, co_await admin_.never_written(topic.topic, there->partitions, deadline));
  if (!empty || there->partitions != topic.partitions)
    co_return refused("topic " + topic.topic + " is at the target already" +
                      (empty ? " with another number of partitions" : " and holds records"));
  co_return planned;
}

Task<Result<TopicSetup::Drift>> TopicSetup::make(RelayTopic topic, RelayTopicConfigs configs, Deadline deadline) {
  CO_TRY(auto there, co_await admin_.find(topic.topic, deadline));
  bool was_made = false;
  Drift drift;
  if (!there) {
    auto made = co_await create(topic, configs, false, deadline);
    if (!made && made.error() != ErrorCode::kAlreadyExists) co_return std::move(made).error();
    was_made = made.has_value();
    if (made) drift = std::move(*made);
    CO_TRY(there, co_await until_shown(topic.topic, topic.partitions, deadline));
  }
  if (there->partitions != topic.partitions)
    co_return refused("topic " + topic.topic + " is at the target already, with " + std::to_string(there->partitions) +
                      " partitions; the source has " + std::to_string(topic.partitions));
  CO_TRY(bool empty, co_await admin_.never_written(topic.topic, topic.partitions, deadline));
  if (!empty)
    co_return refused("topic " + topic.topic +
                      " is at the target already and holds records that this link did not relay: delete it there, or "
                      "give the link a --prefix");
  if (!was_made) {
    CO_TRY(drift, co_await configure(topic.topic, std::move(configs), deadline));
  }
  topic.id = TargetTopicId(there->id);
  RelayTopicStore::Change made = [&topic](RelayTopic& stored) {
    stored.id = topic.id;
    stored.partitions = topic.partitions;
    stored.declared = topic.declared;
    return ok();
  };
  CO_TRY(RelayTopic stored, co_await relay_.topics.change(topic.topic, std::move(made), deadline));
  co_return drift;
}

Task<Result<TopicSetup::Drift>> TopicSetup::create(RelayTopic topic, RelayTopicConfigs configs, bool dry_run,
                                                   Deadline deadline) {
  auto made = co_await admin_.create(topic.topic, topic.partitions, configs.all(), dry_run, deadline);
  if (made) co_return Drift();
  if (!may_mean_one_config(made.error())) co_return std::move(made).error();
  CO_CHECK(co_await admin_.create(topic.topic, topic.partitions, configs.needed, true, deadline));
  Drift drift;
  auto accepted = configs.needed;
  for (const auto& [key, value] : configs.followed) {
    auto with_one = configs.needed;
    with_one[key] = value;
    auto one = co_await admin_.create(topic.topic, topic.partitions, std::move(with_one), true, deadline);
    if (one) {
      accepted[key] = value;
    } else if (!may_mean_one_config(one.error())) {
      co_return std::move(one).error();
    } else if (!RelayTopicConfigs::any_timestamp().count(key)) {
      drift.push_back(drift_text(key, value, one.error()));
    }
  }
  CO_CHECK(co_await admin_.create(topic.topic, topic.partitions, std::move(accepted), dry_run, deadline));
  co_return drift;
}

Task<Result<TopicSetup::Drift>> TopicSetup::configure(std::string topic, RelayTopicConfigs configs, Deadline deadline) {
  std::map<std::string, std::optional<std::string>> needed;
  for (const auto& [key, value] : configs.needed) needed[key] = value;
  CO_CHECK(co_await relay_.target.alter_topic_configs(topic, std::move(needed), deadline));
  Drift drift;
  for (const auto& [key, value] : configs.followed) {
    std::map<std::string, std::optional<std::string>> one{{key, value}};
    auto altered = co_await relay_.target.alter_topic_configs(topic, std::move(one), deadline);
    if (altered) continue;
    if (!may_mean_one_config(altered.error())) co_return std::move(altered).error();
    if (!RelayTopicConfigs::any_timestamp().count(key)) drift.push_back(drift_text(key, value, altered.error()));
  }
  co_return drift;
}

Task<Result<TopicInfo>> TopicSetup::until_shown(std::string topic, int32_t partitions, Deadline deadline) {
  for (;;) {
    CO_TRY(auto there, co_await admin_.find(topic, deadline));
    if (there && there->partitions >= partitions) co_return std::move(*there);
    CO_CHECK(co_await relay_.target.client().pause(1, deadline));
  }
}

}  // namespace farshore::linker
