#include "proto/kafka/client/topic_admin.h"

#include "proto/kafka/constants.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/list_offsets.h"

namespace farshore::kafka {
namespace {

constexpr int32_t kAdminTimeoutMs = 20000;
constexpr int16_t kDefaultReplication = -1;

}  // namespace

Task<Result<std::optional<TopicInfo>>> TopicAdmin::find(std::string topic, Deadline deadline) {
  std::vector<std::string> names{topic};
  CO_TRY(auto view, co_await cluster_.client().refresh(std::move(names), deadline));
  auto found = view->topics.find(topic);
  if (found == view->topics.end()) co_return std::optional<TopicInfo>();
  const auto code = static_cast<ErrorCode>(found->second.error_code);
  if (code == ErrorCode::kUnknownTopicOrPartition) co_return std::optional<TopicInfo>();
  if (code != ErrorCode::kNone) co_return to_error(found->second.error_code, "topic " + topic);
  TopicInfo info;
  info.name = topic;
  info.id = found->second.id;
  info.partitions = static_cast<int32_t>(found->second.partitions.size());
  info.internal = found->second.internal;
  co_return std::optional<TopicInfo>(std::move(info));
}

Task<Status> TopicAdmin::create(std::string topic, int32_t partitions, std::map<std::string, std::string> configs,
                                bool validate_only, Deadline deadline) {
  CreateTopicsRequest request;
  request.timeout_ms = kAdminTimeoutMs;
  request.validate_only = validate_only;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.num_partitions = partitions;
  wanted.replication_factor = kDefaultReplication;
  for (auto& [name, value] : configs) {
    auto& config = wanted.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
  CO_TRY(auto response, co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline));
  for (const auto& made : response.topics) {
    if (made.error_code == 0) continue;
    const std::string text = "create topic " + topic + ": " + made.error_message.value_or("");
    if (made.error_code == static_cast<int16_t>(ErrorCode::kTopicAlreadyExists))
      co_return Error(farshore::ErrorCode::kAlreadyExists, text);
    if (made.error_code == static_cast<int16_t>(ErrorCode::kInvalidConfig))
      co_return Error(farshore::ErrorCode::kInvalidArgument, text);
    co_return to_error(made.error_code, text);
  }
  co_return ok();
}

Task<Status> TopicAdmin::grow(std::string topic, int32_t partitions, Deadline deadline) {
  CreatePartitionsRequest request;
  request.timeout_ms = kAdminTimeoutMs;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.count = partitions;
  wanted.assignments = std::nullopt;
  CO_TRY(auto response, co_await cluster_.client().call_any(std::move(request), Repeat::kNo, deadline));
  for (const auto& result : response.results)
    if (result.error_code != 0)
      co_return to_error(result.error_code, "grow topic " + topic + " to " + std::to_string(partitions) +
                                                " partitions: " + result.error_message.value_or(""));
  co_return ok();
}

Task<Result<int64_t>> TopicAdmin::end_of(TopicPartition partition, Deadline deadline) {
  auto& client = cluster_.client();
  CO_TRY(auto leader, co_await client.leader(partition, deadline));
  CO_TRY(auto broker, co_await client.broker(leader.broker, deadline));
  ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition_index = partition.partition;
  asked.timestamp = kLatestTimestamp;
  CO_TRY(auto response, co_await broker->call(std::move(request), deadline));
  if (response.topics.empty() || response.topics.front().partitions.empty())
    co_return Error(farshore::ErrorCode::kUnavailable, "an empty answer about the end of " + partition.topic);
  const auto& answer = response.topics.front().partitions.front();
  if (answer.error_code != 0) {
    client.forget_leader(partition);
    co_return to_error(answer.error_code, "end of " + partition.topic);
  }
  co_return answer.offset;
}

Task<Result<bool>> TopicAdmin::never_written(std::string topic, int32_t partitions, Deadline deadline) {
  for (int32_t p = 0; p < partitions; ++p) {
    TopicPartition where{topic, p};
    // A new topic gets its leaders a moment later.
    Result<int64_t> end = Error(farshore::ErrorCode::kTimedOut);
    for (;;) {
      end = co_await end_of(where, deadline);
      if (end || !error_retriable(end.error().code)) break;
      CO_CHECK(co_await cluster_.client().pause(1, deadline));
    }
    if (!end) co_return std::move(end).error();
    if (*end != 0) co_return false;
  }
  co_return true;
}

Task<Result<std::map<std::string, std::string>>> TopicAdmin::effective_configs(std::string topic, Deadline deadline) {
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = topic;
  resource.configuration_keys = std::nullopt;
  CO_TRY(auto response, co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline));
  std::map<std::string, std::string> out;
  for (const auto& result : response.results) {
    if (result.error_code != 0) co_return to_error(result.error_code, "configs of " + topic);
    for (const auto& config : result.configs)
      if (config.value) out[config.name] = *config.value;
  }
  co_return out;
}

}  // namespace farshore::kafka
