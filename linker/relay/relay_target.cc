#include "linker/relay/relay_target.h"

#include <algorithm>

#include "linker/relay/relay_configs.h"

namespace farshore::linker {
namespace {

constexpr Duration kTranslateLimit = seconds(10);  // a log that was never read is read first
constexpr int kMissingLooksMax = 3;

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

std::string gone_text(const std::string& topic) {
  return "topic " + topic + " is gone from the target: what was relayed into it is lost there";
}
std::string made_anew_text(const RelayTopic& topic, TargetTopicId now) {
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
      cluster_(env, connector, "target", link.spec.target, link.spec.target_cluster_id.value()),
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

Task<Status> RelayTarget::check_target(RelayTopic topic, Deadline deadline) {
  CO_TRY(auto there, co_await topics_.find(topic.topic, deadline));
  if (!there) co_return refused(gone_text(topic.topic));
  if (!there->id.is_zero() && TargetTopicId(there->id) != topic.id)
    co_return refused(made_anew_text(topic, TargetTopicId(there->id)));
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
    const TargetTopicId now(found->second.id);
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
  const TranslationKey& of = key;
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
