#include "linker/relay/relay_target.h"

#include <algorithm>

#include "linker/relay/open_ends.h"
#include "linker/relay/relay_end.h"
#include "linker/relay/topic_setup.h"

namespace farshore::linker {
namespace {

constexpr Duration kTranslateLimit = seconds(10);  // a log that was never read is read first
constexpr size_t kGivenUpMax = 100;                // ranges of a topic

std::string given_up_text(const GivenUpRange& range) {
  return "records: source offsets " + std::to_string(range.from.value()) + " to " + std::to_string(range.to.value()) +
         " of partition " + std::to_string(range.partition) + " were given up (" + range.why + ")";
}

}  // namespace

RelayTarget::RelayTarget(Env& env, Connector& connector, const StoredLink& link, RelayServices services)
    : env_(env),
      link_(link.id),
      source_cluster_id_(link.spec.source_cluster_id),
      services_(services),
      cluster_(env, connector, "target", link.spec.target, link.spec.target_cluster_id.value()),
      data_(env, connector, data_cluster_options(link.spec.target, link.spec.target_cluster_id)),
      sink_(env, data_, services.journal, replicator::RelaySinkOptions()),
      topics_(services.store, link.id, link.spec.name),
      presence_(cluster_, topics_) {}

void RelayTarget::close() {
  cluster_.close();
  data_.close();
}

Status RelayTarget::fits(const ClusterIdentity& target) const {
  if (!target.farshore) return ok();
  return Error(ErrorCode::kInvalidArgument,
               "the target is a Farshore cluster, which has no transactions yet, and a relay fences with them; use "
               "--mode mirror: it keeps the same offsets");
}

Task<Result<std::vector<TargetTopic>>> RelayTarget::adopt(Deadline deadline) {
  CO_CHECK(co_await topics_.load(deadline));
  const RelayOpenEnds::Relay relay{env_, cluster_, sink_, services_.journal, topics_, link_};
  RelayOpenEnds open_ends(relay);
  co_await open_ends.complete(deadline);
  for (const auto& [topic, why] : topics_.unreadable())
    env_.log().error("a topic of the link is not relayed", {{"topic", topic}, {"error", why}});
  std::vector<TargetTopic> out;
  for (const RelayTopic& topic : topics_.topics()) {
    out.push_back(target_topic(topic));
    if (topic.promotion) continue;
    // Followed already, unless the gateway ended before the partition could go on.
    for (const GivenUpRange& each : topic.given_up)
      sink_.go_on_at({link_, topic.source_id, PartitionId(each.partition)}, {each.to, /*decided_now=*/false});
  }
  co_return out;
}

Task<Result<TargetTopic>> RelayTarget::make(WantedTopic wanted, LinkSource source, Deadline deadline) {
  const TopicSetup::Relay relay{cluster_, topics_, presence_, sink_, link_, source_cluster_id_};
  TopicSetup setup(relay, source, std::move(wanted));
  co_return co_await setup.run(deadline);
}

Task<Result<std::map<std::string, std::string>>> RelayTarget::gone(Deadline deadline) {
  CO_CHECK(co_await topics_.load(deadline));
  CO_TRY(auto gone, co_await presence_.gone(deadline));
  for (const auto& [topic, why] : topics_.unreadable()) gone[topic] = why.to_string();
  co_return gone;
}

Task<Result<PromotionRecord>> RelayTarget::end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) {
  const RelayEnd::Relay relay{env_, cluster_, sink_, services_.journal, topics_, link_};
  RelayEnd end(relay, std::move(request), pumps);
  co_return co_await end.run(deadline);
}

Task<Status> RelayTarget::forget_below(LinkPartition key, SourceOffset log_start, Deadline deadline) {
  return services_.journal.forget_below(key, log_start, deadline);
}

Task<Status> RelayTarget::give_up(TargetTopic which, int32_t partition, SourceOffset to, std::string why,
                                  Deadline deadline) {
  CO_CHECK(co_await topics_.load(deadline));
  const RelayTopic* before = topics_.find(which.topic);
  if (!before || before->promotion || partition < 0 || partition >= before->partitions)
    co_return Error(ErrorCode::kInvalidArgument,
                    "topic " + which.topic + " is not relayed, or has no partition " + std::to_string(partition));
  RelayTopic topic = *before;
  const LinkPartition key{link_, topic.source_id, PartitionId(partition)};
  CO_TRY(auto claims, co_await services_.journal.claims(key, deadline));
  const auto known = known_end(claims.anchors, claims.last_run);
  const SourceOffset from = known ? known->source : SourceOffset(0);
  if (to < from)
    co_return Error(ErrorCode::kInvalidArgument, "the source offsets below " + std::to_string(from.value()) +
                                                     " of partition " + std::to_string(partition) +
                                                     " are at the target: go on there, or at a higher one");
  const GivenUpRange range{partition, from, to, env_.wall_now().milliseconds_since_epoch, std::move(why)};
  RelayTopicStore::Change given_up = [&range](RelayTopic& stored) -> Status {
    if (stored.promotion) return Error(ErrorCode::kInvalidArgument, "topic " + stored.topic + " has ended meanwhile");
    if (stored.given_up.size() >= kGivenUpMax)
      return Error(ErrorCode::kResourceExhausted,
                   "topic " + stored.topic + " has given up " + std::to_string(kGivenUpMax) +
                       " ranges already: delete it at the target, then 'farshore mirror resume' "
                       "relays it from the source's start");
    stored.given_up.push_back(range);
    return ok();
  };
  CO_TRY(topic, co_await topics_.change(which.topic, std::move(given_up), deadline));
  sink_.go_on_at(key, {to, /*decided_now=*/true});
  co_return ok();
}

std::optional<TargetOffset> RelayTarget::end_at_target(const LinkPartition& key, SourceOffset) const {
  return services_.journal.relayed_end(key);
}

Task<Result<RelayTopic>> RelayTarget::note_retention(RelayTopic topic, RelayTopicConfigs::Declared retention,
                                                     bool caught_up, Deadline deadline) {
  RelayTopicStore::Change noted = [&retention, caught_up](RelayTopic& stored) {
    stored.caught_up = stored.caught_up || caught_up;
    for (const auto& [key, value] : retention) stored.declared[key] = value;
    return ok();
  };
  co_return co_await topics_.change(topic.topic, std::move(noted), deadline);
}

Task<Result<ConfigPlan>> RelayTarget::configs(std::string name, std::map<std::string, std::string> followed,
                                              bool caught_up, Deadline deadline) {
  CO_CHECK(co_await topics_.load(deadline));
  ConfigPlan plan;
  const RelayTopic* before = topics_.find(name);
  if (!before) {
    plan.wanted = std::move(followed);
    co_return plan;
  }
  auto retention = RelayTopicConfigs::declared_retention(followed);
  CO_TRY(RelayTopic topic, co_await note_retention(*before, std::move(retention), caught_up, deadline));
  plan.wanted = std::move(followed);
  for (const GivenUpRange& each : topic.given_up) plan.drift.push_back(given_up_text(each));
  if (auto it = plan.wanted.find("compression.type"); it != plan.wanted.end() && it->second != "producer")
    plan.drift.push_back("compression.type: source " + it->second + ", target producer (batches are not recompressed)");
  for (const auto& [key, value] : RelayTopicConfigs::own()) plan.wanted[key] = value;
  // TopicSetup has set it to what holds at the source, which may be a default there.
  if (!plan.wanted.count("max.message.bytes")) plan.keep.insert("max.message.bytes");
  if (topic.caught_up) co_return plan;
  for (const char* key : kRetentionKeys) {
    plan.wanted[key] = kKeepAll;
    plan.drift.push_back(std::string(key) + ": source " + topic.declared[key].value_or("default") +
                         ", target -1 until the relay has caught up");
  }
  co_return plan;
}

Task<Result<std::optional<TargetOffset>>> RelayTarget::to_target(LinkPartition key, SourceOffset offset) {
  auto found = co_await services_.journal.to_target(key, offset, std::nullopt, env_.in(kTranslateLimit));
  if (found) co_return TargetOffset(found->offset);
  if (found.error() != ErrorCode::kNotFound && found.error() != ErrorCode::kOutOfRange)
    co_return std::move(found).error();
  // Below everything that was relayed: a consumer goes on at the first record that was.
  CO_TRY(auto first, co_await services_.translations.runs(key, SourceOffset(0), 1));
  if (!first.empty() && offset < first.front().source) co_return first.front().target;
  // Nothing was relayed yet, and the partition was empty when the relay began: all that will come is at or above 0.
  if (first.empty() && found.error() == ErrorCode::kNotFound && services_.journal.relayed_end(key))
    co_return TargetOffset(0);
  co_return std::optional<TargetOffset>();
}

Task<Result<api::TranslateOffsetReply>> RelayTarget::translate(TargetTopic topic, api::TranslateOffsetRequest request,
                                                               SourceOffset) {
  const LinkPartition key{link_, topic.source_id, PartitionId(request.partition())};
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
