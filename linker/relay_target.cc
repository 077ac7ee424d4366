#include "linker/relay_target.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr std::string_view kRetentionKeys[] = {"retention.ms", "retention.bytes"};
constexpr const char* kKeepAll = "-1";
constexpr Duration kTranslateLimit = seconds(10);  // a log that was never read is read first
constexpr int kMissingLooksMax = 3;

// What a relay needs of its topic, whatever the source says: batches stay as they are, and none is refused for the time
// that its records carry.
const std::map<std::string, std::string>& own_configs() {
  static const std::map<std::string, std::string> configs{
      {"compression.type", "producer"},
      {"message.timestamp.type", "CreateTime"},
  };
  return configs;
}
// Since Apache Kafka 3.6; older ones accept old records and know only the difference.
const std::map<std::string, std::string>& any_timestamp() {
  static const std::map<std::string, std::string> configs{
      {"message.timestamp.before.max.ms", "9223372036854775807"},
      {"message.timestamp.after.max.ms", "9223372036854775807"},
  };
  return configs;
}

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

std::string gone_text(const std::string& topic) {
  return "topic " + topic + " is gone from the target: what was relayed into it is lost there";
}
std::string made_anew_text(const RelayTopic& topic, TopicId now) {
  return "topic " + topic.topic + " was deleted and made anew at the target: its id is " + now.to_string() +
         ", this link relayed into " + topic.id.to_string();
}

}  // namespace

RelayTarget::RelayTarget(Env& env, Connector& connector, const StoredLink& link, RelayServices services)
    : env_(env),
      link_(link.id),
      name_(link.spec.name),
      source_cluster_id_(link.spec.source_cluster_id),
      services_(services),
      cluster_(env, connector, "target", link.spec.target, link.spec.target_cluster_id),
      topics_(cluster_),
      data_(env, connector, data_cluster_options(link.spec.target, link.spec.target_cluster_id)),
      sink_(env, data_, link.id, services.journal, replicator::RelaySinkOptions()) {}

void RelayTarget::close() {
  cluster_.close();
  data_.close();
}

Status RelayTarget::fits(const ClusterIdentity& target) const {
  if (!target.farshore) return ok();
  return refused(
      "the target is a Farshore cluster, which has no transactions yet, and a relay fences with them; use --mode "
      "mirror: it keeps the same offsets");
}

TargetTopic RelayTarget::target_topic(const RelayTopic& topic) {
  TargetTopic out;
  out.topic = topic.topic;
  out.source_topic = topic.source_topic;
  out.id = topic.id;
  out.source_id = topic.source_id;
  out.partitions = topic.partitions;
  out.promotion = topic.promotion;
  return out;
}

Task<Status> RelayTarget::load(Deadline deadline) {
  if (loaded_) co_return ok();
  CO_TRY(auto stored, co_await services_.store.list(relay_topic_key(name_, ""), deadline));
  for (const auto& entry : stored) {
    auto topic = decode_relay_topic(entry.value);
    if (!topic) co_return std::move(topic).error().in(entry.key);
    kept_[topic->topic] = Kept{*topic, entry.revision};
  }
  loaded_ = true;
  co_return ok();
}

Task<Status> RelayTarget::keep(RelayTopic topic, Deadline deadline) {
  Kept& kept = kept_[topic.topic];
  StoredEntry entry;
  entry.key = relay_topic_key(name_, topic.topic);
  entry.value = encode(topic);
  entry.revision = kept.revision;
  auto revision = co_await services_.store.replace(std::move(entry), deadline);
  if (!revision) {
    loaded_ = false;  // it may or may not be there: read again
    co_return std::move(revision).error();
  }
  kept_[topic.topic] = Kept{topic, *revision};
  co_return ok();
}

Task<Result<std::vector<TargetTopic>>> RelayTarget::adopt(Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  std::vector<TargetTopic> out;
  for (const auto& [name, kept] : kept_)
    if (kept.topic.link == link_ && !kept.topic.id.is_zero()) out.push_back(target_topic(kept.topic));
  co_return out;
}

const RelayTopic* RelayTarget::kept(const std::string& topic) const {
  auto found = kept_.find(topic);
  return found == kept_.end() || found->second.topic.link != link_ ? nullptr : &found->second.topic;
}

Task<Status> RelayTarget::not_of_another_link(std::string topic, Deadline deadline) {
  CO_TRY(auto all, co_await services_.store.list("link/", deadline));
  std::set<std::string> links;
  for (const auto& entry : all) links.insert(entry.key);
  for (const auto& entry : all) {
    auto key = parse_relay_topic_key(entry.key);
    if (key && key->second == topic && key->first != name_ && links.count("link/" + key->first))
      co_return refused("topic " + topic + " at the target belongs to another link, " + key->first +
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
  TopicAdmin at_source(source.cluster);
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

Task<Status> RelayTarget::check_target(RelayTopic topic, Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  if (!there) co_return refused(gone_text(topic.topic));
  if (!there->id.is_zero() && there->id != topic.id) co_return refused(made_anew_text(topic, there->id));
  co_return ok();
}

Task<Result<std::map<std::string, std::string>>> RelayTarget::gone(Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  std::vector<std::string> names;
  for (const auto& [name, kept] : kept_)
    if (kept.topic.link == link_ && !kept.topic.id.is_zero() && !kept.topic.promotion) names.push_back(name);
  std::map<std::string, std::string> out;
  if (names.empty()) co_return out;
  CO_TRY(auto view, co_await cluster_.client().refresh(names, deadline));
  for (const std::string& name : names) {
    const RelayTopic* topic = kept(name);
    if (!topic || topic->promotion) continue;
    auto found = view->topics.find(name);
    const auto code = static_cast<kafka::ErrorCode>(found == view->topics.end() ? 0 : found->second.error_code);
    if (found == view->topics.end() || code == kafka::ErrorCode::kUnknownTopicOrPartition) {
      if (++missing_looks_[name] >= kMissingLooksMax) out[name] = gone_text(name);
      continue;
    }
    missing_looks_.erase(name);
    if (code != kafka::ErrorCode::kNone) continue;
    const TopicId now = found->second.id;
    if (!now.is_zero() && now != topic->id) out[name] = made_anew_text(*topic, now);
  }
  co_return out;
}

Task<Status> RelayTarget::forget_below(replicator::PumpKey key, SourceOffset log_start, Deadline deadline) {
  co_return co_await services_.journal.forget_below(key, log_start, deadline);
}

std::optional<TargetOffset> RelayTarget::end_at_target(const replicator::PumpKey& key, SourceOffset) const {
  return services_.journal.relayed_end(key);
}

Task<Status> RelayTarget::make_at_target(RelayTopic topic, std::map<std::string, std::string> configs,
                                         Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  bool was_made = false;
  if (!there) {
    auto with_times = configs;
    for (const auto& [key, value] : any_timestamp()) with_times[key] = value;
    auto made = co_await topics_.create(topic.topic, topic.partitions, std::move(with_times), false, deadline);
    if (!made && made.error() == ErrorCode::kInvalidArgument)
      made = co_await topics_.create(topic.topic, topic.partitions, configs, false, deadline);
    if (!made && made.error() != ErrorCode::kAlreadyExists) co_return made;
    was_made = made.has_value();
    for (;;) {
      CO_TRY(there, co_await topics_.find(topic.topic, deadline));
      if (there && there->partitions == topic.partitions) break;
      CO_CHECK(co_await cluster_.client().pause(1, deadline));
    }
  }
  if (there->partitions != topic.partitions)
    co_return refused("topic " + topic.topic + " is at the target already, with " + std::to_string(there->partitions) +
                      " partitions; the source has " + std::to_string(topic.partitions));
  CO_TRY(bool empty, co_await topics_.never_written(topic.topic, topic.partitions, deadline));
  if (!empty)
    co_return refused("topic " + topic.topic +
                      " is at the target already and holds records that this link did not relay: delete it there, or "
                      "give the link a --prefix");
  // One that somebody else made: before the first batch, which LogAppendTime, say, would spoil for ever.
  if (!was_made) {
    std::map<std::string, std::optional<std::string>> changes, with_times;
    for (const auto& [key, value] : configs) changes[key] = value;
    with_times = changes;
    for (const auto& [key, value] : any_timestamp()) with_times[key] = value;
    auto altered = co_await cluster_.alter_topic_configs(topic.topic, std::move(with_times), deadline);
    if (!altered && !error_retriable(altered.error().code))
      altered = co_await cluster_.alter_topic_configs(topic.topic, std::move(changes), deadline);
    if (!altered) co_return altered;
  }
  topic.id = there->id;
  co_return co_await keep(std::move(topic), deadline);
}

Task<Status> RelayTarget::grow(RelayTopic topic, int32_t partitions, Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  if (there && there->partitions > partitions)
    co_return refused("topic " + topic.topic + " has " + std::to_string(there->partitions) +
                      " partitions at the target, the source has " + std::to_string(partitions));
  if (there && there->partitions < partitions) CO_CHECK(co_await topics_.grow(topic.topic, partitions, deadline));
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
  if (known && (topic.source_id != wanted.source.id || topic.source_cluster_id != source_cluster_id_))
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
  topic.source_id = wanted.source.id;
  topic.source_cluster_id = source_cluster_id_;
  topic.partitions = wanted.source.partitions;
  for (std::string_view key : kRetentionKeys) {
    auto declared = configs.find(std::string(key));
    topic.declared[std::string(key)] =
        declared == configs.end() ? std::nullopt : std::optional<std::string>(declared->second);
    configs[std::string(key)] = kKeepAll;
  }
  for (const auto& [key, value] : own_configs()) configs[key] = value;
  if (wanted.dry_run) {
    CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
    if (!there) {
      CO_CHECK(co_await topics_.create(topic.topic, topic.partitions, std::move(configs), true, deadline));
      co_return target_topic(topic);
    }
    CO_TRY(bool empty, co_await topics_.never_written(topic.topic, there->partitions, deadline));
    if (!empty || there->partitions != topic.partitions)
      co_return refused("topic " + topic.topic + " is at the target already" +
                        (empty ? " with another number of partitions" : " and holds records"));
    co_return target_topic(topic);
  }
  if (!known) CO_CHECK(co_await keep(topic, deadline));  // before it is made: nobody else takes the name meanwhile
  auto made = co_await make_at_target(topic, std::move(configs), deadline);
  if (!made) co_return std::move(made).error();
  co_return target_topic(kept_[wanted.topic].topic);
}

Task<Result<ConfigPlan>> RelayTarget::configs(std::string name, std::map<std::string, std::string> followed,
                                              bool caught_up, Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  ConfigPlan plan;
  const RelayTopic* before = kept(name);
  if (!before) {
    plan.wanted = std::move(followed);
    co_return plan;
  }
  RelayTopic topic = *before;
  auto declared = topic.declared;
  for (std::string_view key : kRetentionKeys) {
    auto it = followed.find(std::string(key));
    declared[std::string(key)] = it == followed.end() ? std::nullopt : std::optional<std::string>(it->second);
  }
  if ((caught_up && !topic.caught_up) || declared != topic.declared) {
    topic.caught_up = topic.caught_up || caught_up;
    topic.declared = std::move(declared);
    CO_CHECK(co_await keep(topic, deadline));
  }
  plan.wanted = std::move(followed);
  if (auto it = plan.wanted.find("compression.type"); it != plan.wanted.end() && it->second != "producer")
    plan.drift.push_back("compression.type: source " + it->second + ", target producer (batches are not recompressed)");
  for (const auto& [key, value] : own_configs()) plan.wanted[key] = value;
  // What was set beside the source's configs when the topic was made stays.
  for (const char* key : {"max.message.bytes"})
    if (!plan.wanted.count(key)) plan.keep.insert(key);
  if (topic.caught_up) co_return plan;
  for (std::string_view key : kRetentionKeys) {
    plan.wanted[std::string(key)] = kKeepAll;
    plan.drift.push_back(std::string(key) + ": source " + topic.declared[std::string(key)].value_or("default") +
                         ", target -1 until the relay has caught up");
  }
  co_return plan;
}

Task<Result<std::optional<TargetOffset>>> RelayTarget::to_target(replicator::PumpKey key, SourceOffset offset) {
  auto found = co_await services_.journal.to_target(key, offset, std::nullopt, env_.in(kTranslateLimit));
  if (found) co_return TargetOffset(found->offset);
  if (found.error() != ErrorCode::kNotFound && found.error() != ErrorCode::kOutOfRange)
    co_return std::move(found).error();
  // Below everything that was relayed: the first record that was.
  const TranslationKey of{key.link, key.source_topic, key.partition};
  CO_TRY(auto first, co_await services_.translations.runs(of, SourceOffset(0), 1));
  if (!first.empty() && offset < first.front().source) co_return first.front().target;
  co_return std::optional<TargetOffset>();
}

Task<Result<api::TranslateOffsetReply>> RelayTarget::translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                               SourceOffset) {
  const replicator::PumpKey key{link_, topic.source_id, PartitionId(request.partition())};
  const Deadline deadline = env_.in(kTranslateLimit);
  Result<offsets::Translated> found = Error(ErrorCode::kInternal);
  if (request.reverse()) {
    found = co_await services_.journal.to_source(key, TargetOffset(request.offset()), deadline);
  } else {
    std::optional<LogEpoch> epoch;
    if (request.has_epoch() && request.epoch() >= 0) epoch = LogEpoch(request.epoch());
    found = co_await services_.journal.to_target(key, SourceOffset(request.offset()), epoch, deadline);
  }
  if (!found) co_return std::move(found).error().in(topic.topic + "-" + std::to_string(request.partition()));
  api::TranslateOffsetReply reply;
  reply.set_source_offset(request.reverse() ? found->offset : request.offset());
  reply.set_target_offset(request.reverse() ? request.offset() : found->offset);
  reply.set_epoch(found->source_epoch.value());
  reply.set_exact(found->exact);
  if (!found->exact) reply.set_note("there is no such record at the other end: the next one, or the end");
  co_return reply;
}

Task<Status> RelayTarget::verify(TargetTopic, int32_t, LinkSource, Verified, Deadline) {
  co_return Error(ErrorCode::kUnsupported,
                  "verify compares digests that both ends compute, which Apache Kafka does not; a relay is checked by "
                  "'farshore offsets translate' and reading both ends");
}

}  // namespace farshore::linker
