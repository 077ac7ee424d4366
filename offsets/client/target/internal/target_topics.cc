#include "offsets/client/target/internal/target_topics.h"

#include <utility>

namespace farshore::client {
namespace {

constexpr Duration kBrokerLimit = seconds(3);

TopicAtTarget::State state_of(MirrorRole role) {
  using State = TopicAtTarget::State;
  switch (role) {
    case MirrorRole::kMirror:
      return State::kMirror;
    case MirrorRole::kPromoted:
      return State::kPromoted;
    case MirrorRole::kFailedOver:
      return State::kFailedOver;
    case MirrorRole::kNotMirror:
      break;
  }
  return State::kNotMirror;
}

TopicAtTarget read_topic(const MirrorTopicAnswer& from) {
  TopicAtTarget to;
  to.state = state_of(role_of(from));
  for (const auto& partition : from.partitions) {
    auto& out = to.partitions[partition.partition];  // also if the target reports an error for it: then its failover
                                                     // offset stays unknown
    if (partition.error_code != 0) continue;
    out.end_offset = partition.end_offset;
    if (partition.promotion) out.failover_offset = partition.promotion->offset;
  }
  return to;
}

TopicAtTarget read_relay(const RelayedTopic& from) {
  using State = TopicAtTarget::State;
  TopicAtTarget to;
  to.relay_link = from.link;
  to.state = !from.ended ? State::kMirror : from.promoted ? State::kPromoted : State::kFailedOver;
  for (int32_t p = 0; p < from.partitions; ++p) to.partitions[p];
  for (const auto& [partition, end] : from.ends) {
    to.partitions[partition].failover_offset = end.source;
    if (end.target >= 0) to.partitions[partition].failover_target_offset = end.target;
  }
  return to;
}

}  // namespace

TargetTopics::TargetTopics(Env& env, kafka::ClusterClient& target)
    : target_(target), mirrors_(target, kBrokerLimit), relays_(env, target, arena_) {}

Task<Result<std::map<std::string, TopicAtTarget>>> TargetTopics::ask(std::vector<std::string> names,
                                                                     Deadline deadline) {
  std::map<std::string, TopicAtTarget> out;
  CO_TRY(auto cluster, co_await target_.refresh(names, deadline));
  std::vector<std::pair<std::string, int32_t>> present;
  for (const auto& name : names) {
    out[name];  // kNotThere, unless the target describes it
    auto found = cluster->topics.find(name);
    if (found != cluster->topics.end() && !found->second.partitions.empty())
      present.emplace_back(name, static_cast<int32_t>(found->second.partitions.size()));
  }
  if (present.empty()) co_return out;
  auto client = co_await target_.any(deadline);
  if (!client) co_return std::move(client).error();
  if ((*client)->range_of(kafka::MirrorControlRequest::kApiKey)) {
    auto answers = co_await mirrors_.describe_all(std::move(present), deadline);
    if (!answers) co_return std::move(answers).error().in("describe mirrors");
    for (const auto& topic : *answers) {
      if (!topic.name) continue;
      if (topic.error_code != 0)
        co_return mirror_error(topic.error_code, topic.error_message).in("describe " + *topic.name);
      out[*topic.name] = read_topic(topic);
    }
    co_return out;
  }
  // Not a Farshore cluster: relay links fill its topics.
  auto read = co_await relays_.read(deadline);
  const bool no_links = !read && read.error() == ErrorCode::kNotFound;
  if (!read && !no_links) co_return std::move(read).error();
  const auto relayed = relays_.topics();
  for (const auto& each : present) {
    out[each.first].state = TopicAtTarget::State::kNotMirror;
    auto found = no_links ? relayed.end() : relayed.find(each.first);
    if (found == relayed.end()) continue;
    if (found->second.unreadable.code != ErrorCode::kNone) co_return found->second.unreadable;
    out[each.first] = read_relay(found->second);
  }
  co_return out;
}

}  // namespace farshore::client
