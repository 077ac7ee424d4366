#include "proto/kafka/client/compacted_topic.h"

#include <utility>

#include "proto/kafka/constants.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"

namespace farshore::kafka {
namespace {

constexpr int16_t kDefaultReplication = -1;
constexpr int32_t kMakeTimeoutMs = 10'000;

Task<Status> create(ClusterClient& cluster, std::string name, int32_t partitions, Deadline deadline) {
  CreateTopicsRequest request;
  request.timeout_ms = kMakeTimeoutMs;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = kDefaultReplication;
  for (const auto& [key, value] : {std::pair("cleanup.policy", "compact"), std::pair("compression.type", "producer")}) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), Repeat::kYes, deadline));
  for (const auto& each : response.topics) {
    const auto code = static_cast<ErrorCode>(each.error_code);
    if (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists) continue;
    co_return to_error(code, "create topic " + name + ": " + each.error_message.value_or(""));
  }
  co_return ok();
}

Task<Status> check_compacted(ClusterClient& cluster, std::string name, Deadline deadline) {
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = name;
  std::vector<std::string> keys{"cleanup.policy"};
  resource.configuration_keys = std::move(keys);
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), Repeat::kYes, deadline));
  for (const auto& result : response.results) {
    if (result.error_code != 0) co_return to_error(result.error_code, "configs of " + name);
    for (const auto& config : result.configs)
      if (config.name == "cleanup.policy" && config.value != "compact")
        co_return Error(farshore::ErrorCode::kConflict,
                        "topic " + name + " has cleanup.policy=" + config.value.value_or("") +
                            ", so that records which matter would be deleted: set it to compact");
  }
  co_return ok();
}

}  // namespace

Task<Result<CompactedTopic>> ensure_compacted_topic(ClusterClient& cluster, std::string name, int32_t partitions_min,
                                                    Deadline deadline) {
  bool created = false;
  for (int attempt = 0;; ++attempt) {
    std::vector<std::string> names{name};
    CO_TRY(auto view, co_await cluster.refresh(std::move(names), deadline));
    auto it = view->topics.find(name);
    const ErrorCode code =
        it == view->topics.end() ? ErrorCode::kUnknownTopicOrPartition : static_cast<ErrorCode>(it->second.error_code);
    if (code == ErrorCode::kNone && !it->second.partitions.empty()) {
      CompactedTopic topic;
      topic.cluster_id = view->cluster_id;
      topic.name = name;
      topic.id = it->second.id;
      topic.partitions = static_cast<int32_t>(it->second.partitions.size());
      if (topic.partitions < partitions_min)
        co_return Error(farshore::ErrorCode::kConflict,
                        "topic " + name + " has " + std::to_string(topic.partitions) + " partitions and needs " +
                            std::to_string(partitions_min) +
                            ": delete it if it is empty, and it is made as it should be");
      CO_CHECK(co_await check_compacted(cluster, name, deadline));
      co_return topic;
    }
    if (code == ErrorCode::kUnknownTopicOrPartition && !created) {
      CO_CHECK(co_await create(cluster, name, partitions_min, deadline));
      created = true;
    } else if (code != ErrorCode::kNone && code != ErrorCode::kUnknownTopicOrPartition && !error_retriable(code)) {
      co_return to_error(code, "topic " + name);
    }
    CO_CHECK(co_await cluster.pause(attempt, deadline));  // until every broker knows the new topic
  }
}

}  // namespace farshore::kafka
