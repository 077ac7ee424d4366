#include "replicator/relay/target_memory.h"

#include "proto/kafka/client/partition_reader.h"
#include "proto/kafka/messages/describe_producers.h"

namespace farshore::replicator {

namespace {

// Of an answer that does not speak of the partition: asked again.
constexpr auto kNoAnswer = static_cast<int16_t>(kafka::ErrorCode::kNetworkException);

}  // namespace

Task<Result<std::vector<RememberedProducer>>> remembered_producers(kafka::ClusterClient& cluster, TopicPartition at,
                                                                   Deadline deadline) {
  kafka::DescribeProducersRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = at.topic;
  topic.partition_indexes.push_back(at.partition);
  auto code_of = [](const kafka::DescribeProducersResponse& answer) {
    return answer.topics.empty() || answer.topics[0].partitions.empty() ? kNoAnswer
                                                                        : answer.topics[0].partitions[0].error_code;
  };
  std::vector<RememberedProducer> remembered;
  auto answer = co_await cluster.call_leader(std::move(at), std::move(request), code_of, deadline);
  if (!answer) {
    if (answer.error().code == ErrorCode::kUnsupported) co_return remembered;  // older than KIP-664
    co_return std::move(answer).error();
  }
  for (const auto& each : answer->topics[0].partitions[0].active_producers)
    remembered.push_back({{each.producer_id, static_cast<int16_t>(each.producer_epoch)}, each.last_sequence});
  co_return remembered;
}

Task<Result<std::optional<TargetOffset>>> end_of_epoch(kafka::ClusterClient& cluster, TopicPartition at,
                                                       LeadershipEpoch epoch, Deadline deadline) {
  std::optional<TargetOffset> end;
  auto found = co_await kafka::partition_epoch_end(cluster, std::move(at), LogEpoch(epoch.value()), deadline);
  if (!found) {
    if (found.error().code == ErrorCode::kUnsupported) co_return end;
    co_return std::move(found).error();
  }
  if (found->end.value() >= 0) end = TargetOffset(found->end.value());
  co_return end;
}

}  // namespace farshore::replicator
