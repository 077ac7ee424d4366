#include "linker/cluster_admin.h"

#include <algorithm>

#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_groups.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/list_groups.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/offset_delete.h"
#include "proto/kafka/messages/offset_fetch.h"
#include "replicator/mirror_sink.h"

namespace farshore::linker {
namespace {

using kafka::CoordinatorKind;
using kafka::Repeat;
constexpr int8_t kTopicResource = 2;
constexpr int8_t kTopicConfigSource = 1;  // DYNAMIC_TOPIC_CONFIG: set on the topic itself
constexpr int8_t kConfigSet = 0, kConfigDelete = 1;
constexpr size_t kTopicsPerDescribe = 200;

kafka::ClusterOptions cluster_options(std::vector<Endpoint> bootstrap, std::string cluster_id) {
  kafka::ClusterOptions options;
  options.bootstrap = std::move(bootstrap);
  if (!cluster_id.empty()) options.cluster_id = std::move(cluster_id);
  options.connect_timeout = seconds(5);
  options.request_timeout = seconds(10);
  return options;
}

}  // namespace

ClusterAdmin::ClusterAdmin(Env& env, Connector& connector, std::string role, std::vector<Endpoint> bootstrap,
                           std::string cluster_id)
    : env_(env),
      role_(std::move(role)),
      client_(env, connector, cluster_options(std::move(bootstrap), std::move(cluster_id))) {}

Error ClusterAdmin::here(Error error) const { return error.in(role_); }

Task<Result<ClusterIdentity>> ClusterAdmin::identify(Deadline deadline) {
  auto client = co_await client_.any(deadline);
  if (!client) co_return here(std::move(client).error());
  ClusterIdentity identity;
  identity.farshore = (*client)->range_of(kafka::MirrorAppendRequest::kApiKey) != nullptr;
  auto view = co_await client_.refresh({}, deadline);
  if (!view) co_return here(std::move(view).error());
  identity.cluster_id = (*view)->cluster_id;
  if (identity.farshore) {
    // Before anything else: a cluster of another release is told so in words, not by a call that fails somewhere.
    for (int16_t key : {kafka::MirrorAppendRequest::kApiKey, kafka::MirrorControlRequest::kApiKey,
                        kafka::LinkStateRequest::kApiKey}) {
      if (auto version = (*client)->version_for(key); !version) co_return here(std::move(version).error());
    }
    kafka::MirrorControlRequest request;
    request.op = replicator::kMirrorDescribe;  // of no topic: only who is there
    auto response = co_await client_.call_any(std::move(request), Repeat::kYes, deadline);
    if (!response) co_return here(std::move(response).error());
    if (!response->incarnation.is_zero()) identity.incarnation = response->incarnation.to_string();
  }
  co_return identity;
}

Task<Result<int64_t>> ClusterAdmin::producer_id_salt(Deadline deadline) {
  auto client = co_await client_.any(deadline);
  if (!client) co_return here(std::move(client).error());
  if (!(*client)->range_of(kafka::MirrorControlRequest::kApiKey)) co_return 0;
  kafka::MirrorControlRequest request;  // about no topic: the answer is about the cluster
  request.op = replicator::kMirrorDescribe;
  request.timeout_ms = 1000;
  auto response = co_await client_.call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return here(std::move(response).error());
  co_return std::max<int64_t>(0, response->producer_id_salt);
}

Task<Status> refuse_equal_salts(ClusterAdmin& source, ClusterAdmin& target, Deadline deadline) {
  CO_TRY(int64_t theirs, co_await source.producer_id_salt(deadline));
  CO_TRY(int64_t ours, co_await target.producer_id_salt(deadline));
  if (theirs == 0 || theirs != ours) co_return ok();
  co_return Error(ErrorCode::kConflict,
                  "source and target give producer ids with the same salt (" + std::to_string(ours) +
                      "), so that mirrored producers could be mistaken for the target's own: restart one of the two "
                      "with --set producer.id.salt=N, where N is another number from 1 to 4194303");
}

Task<Result<std::vector<TopicInfo>>> ClusterAdmin::topics(Deadline deadline) {
  auto view = co_await client_.refresh_all(deadline);
  if (!view) co_return here(std::move(view).error());
  std::vector<TopicInfo> out;
  for (const auto& [name, topic] : (*view)->topics)
    if (topic.error_code == 0)
      out.push_back({name, topic.id, static_cast<int32_t>(topic.partitions.size()),
                     topic.internal || name.starts_with("__farshore_")});
  co_return out;
}

Task<Result<std::map<std::string, std::map<std::string, std::string>>>> ClusterAdmin::topic_configs(
    std::vector<std::string> topics, Deadline deadline) {
  std::map<std::string, std::map<std::string, std::string>> out;
  for (size_t at = 0; at < topics.size(); at += kTopicsPerDescribe) {
    kafka::DescribeConfigsRequest request;
    for (size_t i = at; i < std::min(topics.size(), at + kTopicsPerDescribe); ++i) {
      auto& resource = request.resources.emplace_back();
      resource.resource_type = kTopicResource;
      resource.resource_name = topics[i];
      resource.configuration_keys = std::nullopt;
    }
    auto response = co_await client_.call_any(std::move(request), Repeat::kYes, deadline);
    if (!response) co_return here(std::move(response).error());
    for (auto& result : response->results) {
      if (result.error_code != 0) continue;  // deleted meanwhile: the next round of discovery says so
      auto& configs = out[result.resource_name];
      for (auto& config : result.configs)
        if (config.config_source == kTopicConfigSource && config.value) configs[config.name] = *config.value;
    }
  }
  co_return out;
}

Task<Status> ClusterAdmin::alter_topic_configs(std::string topic,
                                               std::map<std::string, std::optional<std::string>> changes,
                                               Deadline deadline) {
  kafka::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = topic;
  for (auto& [key, value] : changes) {
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = value ? kConfigSet : kConfigDelete;
    config.value = value;
  }
  auto response = co_await client_.call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return here(std::move(response).error());
  for (const auto& result : response->responses)
    if (result.error_code != 0)
      co_return here(
          kafka::to_error(result.error_code, "configs of " + topic + ": " + result.error_message.value_or("")));
  co_return ok();
}

Task<Result<std::vector<GroupInfo>>> ClusterAdmin::groups(Deadline deadline) {
  auto view = co_await client_.refresh({}, deadline);
  if (!view) co_return here(std::move(view).error());
  std::map<std::string, GroupInfo> found;
  for (const auto& entry : (*view)->brokers) {
    auto broker = co_await client_.broker(entry.first, deadline);
    if (!broker) co_return here(std::move(broker).error());
    kafka::ListGroupsRequest request;
    auto response = co_await (*broker)->call(std::move(request), deadline);
    if (!response) co_return here(std::move(response).error());
    if (response->error_code != 0) co_return here(kafka::to_error(response->error_code, "list groups"));
    for (auto& group : response->groups) {
      if (!group.protocol_type.empty() && group.protocol_type != "consumer") continue;  // Connect workers and the like
      GroupInfo info;
      info.id = group.group_id;
      info.has_members = !group.group_state.empty() && group.group_state != "Empty" && group.group_state != "Dead";
      found[info.id] = info;
    }
  }
  std::vector<GroupInfo> out;
  out.reserve(found.size());
  for (auto& [id, info] : found) out.push_back(std::move(info));
  co_return out;
}

Task<Result<GroupOffsets>> ClusterAdmin::group_offsets(std::string group, Deadline deadline) {
  kafka::OffsetFetchRequest request;
  auto& all = request.groups.emplace_back();
  all.group_id = group;
  all.topics = std::nullopt;
  auto response =
      co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(request), Repeat::kYes, deadline);
  if (!response && response.error().code == ErrorCode::kUnsupported) {  // before Kafka 3.0: one group per request
    kafka::OffsetFetchRequest older;
    older.group_id = group;
    older.topics = std::nullopt;
    response =
        co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(older), Repeat::kYes, deadline);
  }
  if (!response) co_return here(std::move(response).error().in("group " + group));
  GroupOffsets out;
  int16_t error = response->error_code;
  auto take = [&](const auto& topics) {
    for (const auto& topic : topics)
      for (const auto& p : topic.partitions)
        if (p.error_code == 0 && p.committed_offset >= 0)
          out[{topic.name, p.partition_index}] = {p.committed_offset, p.committed_leader_epoch};
  };
  take(response->topics);
  for (const auto& answered : response->groups) {
    if (answered.error_code != 0) error = answered.error_code;
    take(answered.topics);
  }
  if (error != 0) co_return here(kafka::to_error(error, "offsets of group " + group));
  co_return out;
}

Task<Status> ClusterAdmin::commit_group_offsets(std::string group, GroupOffsets offsets, Deadline deadline) {
  kafka::OffsetCommitRequest request;
  request.group_id = group;
  for (const auto& [where, value] : offsets) {
    if (request.topics.empty() || request.topics.back().name != where.topic)
      request.topics.emplace_back().name = where.topic;
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition_index = where.partition;
    partition.committed_offset = value.offset;
    partition.committed_leader_epoch = value.leader_epoch;
    partition.committed_metadata = "";
  }
  auto response =
      co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(request), Repeat::kYes, deadline);
  if (!response) co_return here(std::move(response).error().in("group " + group));
  for (const auto& topic : response->topics)
    for (const auto& p : topic.partitions) {
      auto code = static_cast<kafka::ErrorCode>(p.error_code);
      if (code == kafka::ErrorCode::kNone) continue;
      if (code == kafka::ErrorCode::kUnknownMemberId || code == kafka::ErrorCode::kIllegalGeneration)
        co_return here(Error(ErrorCode::kConflict, "group " + group + " has members"));
      co_return here(kafka::to_error(code, "commit of group " + group + " for " + topic.name));
    }
  co_return ok();
}

Task<Status> ClusterAdmin::delete_group_offsets(std::string group, std::vector<TopicPartition> partitions,
                                                Deadline deadline) {
  std::sort(partitions.begin(), partitions.end());
  kafka::OffsetDeleteRequest request;
  request.group_id = group;
  for (const auto& where : partitions) {
    if (request.topics.empty() || request.topics.back().name != where.topic)
      request.topics.emplace_back().name = where.topic;
    request.topics.back().partitions.emplace_back().partition_index = where.partition;
  }
  auto response =
      co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(request), Repeat::kYes, deadline);
  if (!response) co_return here(std::move(response).error().in("group " + group));
  auto code = static_cast<kafka::ErrorCode>(response->error_code);
  if (code == kafka::ErrorCode::kGroupIdNotFound) co_return ok();  // nothing to delete
  if (code != kafka::ErrorCode::kNone) co_return here(kafka::to_error(code, "delete offsets of group " + group));
  for (const auto& topic : response->topics)
    for (const auto& p : topic.partitions)
      if (p.error_code != 0)
        co_return here(kafka::to_error(p.error_code, "delete offsets of group " + group + " for " + topic.name));
  co_return ok();
}

}  // namespace farshore::linker
