#include "proto/kafka/client/cluster_admin.h"

#include <algorithm>

#include "base/side_by_side.h"
#include "proto/kafka/constants.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_groups.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/list_groups.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/offset_delete.h"
#include "proto/kafka/messages/offset_fetch.h"

namespace farshore::kafka {
namespace {

constexpr int8_t kTopicConfigSource = 1;  // DYNAMIC_TOPIC_CONFIG: set on the topic itself
constexpr int8_t kConfigSet = 0, kConfigDelete = 1;
constexpr size_t kTopicsPerDescribe = 200, kDescribesAtOnce = 4;

ClusterOptions cluster_options(std::vector<Endpoint> bootstrap, std::string cluster_id, ClientOptions client) {
  ClusterOptions options;
  options.client = std::move(client);
  options.bootstrap = std::move(bootstrap);
  if (!cluster_id.empty()) options.cluster_id = std::move(cluster_id);
  options.connect_timeout = seconds(5);
  options.request_timeout = seconds(10);
  return options;
}

}  // namespace

ClusterAdmin::ClusterAdmin(Env& env, Connector& connector, std::string role, std::vector<Endpoint> bootstrap,
                           std::string cluster_id, ClientOptions client)
    : role_(std::move(role)),
      client_(env, connector, cluster_options(std::move(bootstrap), std::move(cluster_id), std::move(client))) {}

Error ClusterAdmin::here(Error error) const { return error.in(role_); }

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

Task<Result<ClusterAdmin::TopicConfigs>> ClusterAdmin::topic_configs(std::vector<std::string> topics,
                                                                     Deadline deadline) {
  CO_TRY(SetAndEffective both, co_await set_and_effective_configs(std::move(topics), deadline));
  co_return std::move(both.set);
}

Task<Result<ClusterAdmin::TopicConfigs>> ClusterAdmin::effective_configs(std::vector<std::string> topics,
                                                                         Deadline deadline) {
  CO_TRY(SetAndEffective both, co_await set_and_effective_configs(std::move(topics), deadline));
  co_return std::move(both.effective);
}

Task<Result<ClusterAdmin::SetAndEffective>> ClusterAdmin::set_and_effective_configs(std::vector<std::string> topics,
                                                                                    Deadline deadline) {
  SetAndEffective out;
  Status failed;
  OneOfMany one_request = [&](size_t i) {
    const size_t from = i * kTopicsPerDescribe;
    return describe_configs(topics, from, std::min(topics.size(), from + kTopicsPerDescribe), out, failed, deadline);
  };
  const size_t requests = (topics.size() + kTopicsPerDescribe - 1) / kTopicsPerDescribe;
  co_await side_by_side(client_.env(), requests, kDescribesAtOnce, std::move(one_request));
  if (!failed) co_return here(std::move(failed).error());
  co_return out;
}

Task<void> ClusterAdmin::describe_configs(const std::vector<std::string>& topics, size_t from, size_t to,
                                          SetAndEffective& out, Status& failed, Deadline deadline) {
  if (!failed) co_return;
  DescribeConfigsRequest request;
  for (size_t i = from; i < to; ++i) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopicResource;
    resource.resource_name = topics[i];
    resource.configuration_keys = std::nullopt;
  }
  auto response = co_await client_.call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) {
    failed = std::move(response).error();
    co_return;
  }
  for (auto& result : response->results) {
    if (result.error_code != 0) continue;  // the topic was deleted meanwhile; topics() will not list it any more
    auto& set = out.set[result.resource_name];
    auto& effective = out.effective[result.resource_name];
    for (auto& config : result.configs) {
      if (!config.value) continue;
      if (config.config_source == kTopicConfigSource) set[config.name] = *config.value;
      effective[config.name] = std::move(*config.value);
    }
  }
}

Task<Status> ClusterAdmin::alter_topic_configs(std::string topic,
                                               std::map<std::string, std::optional<std::string>> changes,
                                               Deadline deadline) {
  IncrementalAlterConfigsRequest request;
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
      co_return here(to_error(result.error_code, "configs of " + topic + ": " + result.error_message.value_or("")));
  co_return ok();
}

Task<Result<std::vector<GroupInfo>>> ClusterAdmin::groups(Deadline deadline) {
  auto view = co_await client_.refresh({}, deadline);
  if (!view) co_return here(std::move(view).error());
  std::map<std::string, GroupInfo> found;
  for (const auto& entry : (*view)->brokers) {
    auto broker = co_await client_.broker(entry.first, deadline);
    if (!broker) co_return here(std::move(broker).error());
    ListGroupsRequest request;
    auto response = co_await (*broker)->call(std::move(request), deadline);
    if (!response) co_return here(std::move(response).error());
    if (response->error_code != 0) co_return here(to_error(response->error_code, "list groups"));
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
  OffsetFetchRequest request;
  auto& all = request.groups.emplace_back();
  all.group_id = group;
  all.topics = std::nullopt;
  auto response =
      co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(request), Repeat::kYes, deadline);
  if (!response &&
      response.error().code == farshore::ErrorCode::kUnsupported) {  // before Kafka 3.0: one group per request
    OffsetFetchRequest older;
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
        if (p.error_code != 0)  // without this partition's offset the answer is no answer: it may have one
          error = p.error_code;
        else if (p.committed_offset >= 0)
          out[{topic.name, p.partition_index}] = {p.committed_offset, p.committed_leader_epoch};
  };
  take(response->topics);
  for (const auto& answered : response->groups) {
    if (answered.error_code != 0) error = answered.error_code;
    take(answered.topics);
  }
  if (error != 0) co_return here(to_error(error, "offsets of group " + group));
  co_return out;
}

Task<Status> ClusterAdmin::commit_group_offsets(std::string group, GroupOffsets offsets, Deadline deadline) {
  OffsetCommitRequest request;
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
      auto code = static_cast<ErrorCode>(p.error_code);
      if (code == ErrorCode::kNone) continue;
      if (code == ErrorCode::kUnknownMemberId || code == ErrorCode::kIllegalGeneration)
        co_return here(Error(farshore::ErrorCode::kConflict, "group " + group + " has members"));
      co_return here(to_error(code, "commit of group " + group + " for " + topic.name));
    }
  co_return ok();
}

Task<Status> ClusterAdmin::delete_group_offsets(std::string group, std::vector<TopicPartition> partitions,
                                                Deadline deadline) {
  std::sort(partitions.begin(), partitions.end());
  OffsetDeleteRequest request;
  request.group_id = group;
  for (const auto& where : partitions) {
    if (request.topics.empty() || request.topics.back().name != where.topic)
      request.topics.emplace_back().name = where.topic;
    request.topics.back().partitions.emplace_back().partition_index = where.partition;
  }
  auto response =
      co_await client_.call_coordinator(CoordinatorKind::kGroup, group, std::move(request), Repeat::kYes, deadline);
  if (!response) co_return here(std::move(response).error().in("group " + group));
  auto code = static_cast<ErrorCode>(response->error_code);
  if (code == ErrorCode::kGroupIdNotFound) co_return ok();  // nothing to delete
  if (code != ErrorCode::kNone) co_return here(to_error(code, "delete offsets of group " + group));
  for (const auto& topic : response->topics)
    for (const auto& p : topic.partitions)
      if (p.error_code != 0)
        co_return here(to_error(p.error_code, "delete offsets of group " + group + " for " + topic.name));
  co_return ok();
}

}  // namespace farshore::kafka
