#include "offsets/client/target/internal/partition_ends.h"

#include <set>
#include <utility>

#include "proto/kafka/constants.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/list_offsets.h"

namespace farshore::client {
namespace {

kafka::ListOffsetsRequest ends_request(const std::vector<TopicPartition>& partitions) {
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  std::map<std::string, size_t> places;
  for (const auto& partition : partitions) {
    auto [place, is_new] = places.try_emplace(partition.topic, request.topics.size());
    if (is_new) request.topics.emplace_back().name = partition.topic;
    auto& asked = request.topics[place->second].partitions.emplace_back();
    asked.partition_index = partition.partition;
    asked.timestamp = kafka::kLatestTimestamp;
  }
  return request;
}

std::string partition_name(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition);
}

// Asks one broker; what it answered moves from `open` to `ends`. What is left has to be asked again.
Task<Status> ask_leader(kafka::ClusterClient& cluster, int32_t broker, std::vector<TopicPartition> asked,
                        std::set<TopicPartition>& open, PartitionEnds& ends, Error& last, Deadline deadline) {
  const auto failed = [&](Error error) {
    last = std::move(error);
    for (const auto& each : asked) cluster.forget_leader(each);
  };
  auto client = co_await cluster.broker(broker, deadline);
  if (!client) {
    failed(client.error());
    if (kafka::connection_failed(last) || last == ErrorCode::kNotFound) co_return ok();
    co_return last;
  }
  auto request = ends_request(asked);
  auto answer = co_await (*client)->call(std::move(request), deadline);
  if (!answer) {
    failed(answer.error());
    if (kafka::connection_failed(last)) co_return ok();
    co_return last;
  }
  for (const auto& topic : answer->topics) {
    for (const auto& each : topic.partitions) {
      TopicPartition at{topic.name, each.partition_index};
      if (each.error_code == 0) {
        ends[at] = Offset(each.offset);
        open.erase(at);
        continue;
      }
      last = kafka::to_error(each.error_code, partition_name(at));
      cluster.forget_leader(at);
      if (!kafka::error_retriable(static_cast<kafka::ErrorCode>(each.error_code))) co_return last;
    }
  }
  co_return ok();
}

}  // namespace

Task<Result<PartitionEnds>> partition_ends(kafka::ClusterClient& cluster, std::vector<TopicPartition> partitions,
                                           Deadline deadline) {
  PartitionEnds ends;
  std::set<TopicPartition> open(partitions.begin(), partitions.end());
  Error last;
  for (int attempt = 0; !open.empty(); ++attempt) {
    if (attempt > 0) {
      auto paused = co_await cluster.pause(attempt - 1, deadline);
      if (!paused) co_return Error(paused.error().code, "last: " + last.to_string());
    }
    std::set<std::string> unknown;
    for (const auto& each : open) {
      const auto* known = cluster.view()->partition(each.topic, each.partition);
      if (!known || known->leader < 0) unknown.insert(each.topic);
    }
    if (!unknown.empty()) {
      std::vector<std::string> topics(unknown.begin(), unknown.end());
      CO_CHECK(co_await cluster.refresh(std::move(topics), deadline));
    }
    std::map<int32_t, std::vector<TopicPartition>> leaders;
    for (const auto& each : open) {
      TopicPartition wanted = each;
      CO_TRY(kafka::Leader leader, co_await cluster.leader(std::move(wanted), deadline));
      leaders[leader.broker].push_back(each);
    }
    for (auto& [broker, asked] : leaders)
      CO_CHECK(co_await ask_leader(cluster, broker, std::move(asked), open, ends, last, deadline));
  }
  co_return ends;
}

}  // namespace farshore::client
