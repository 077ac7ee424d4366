#include "replicator/log_ranges.h"

#include <optional>

#include "proto/kafka/messages/list_offsets.h"

namespace farshore::replicator {

namespace {

constexpr int64_t kEarliest = -2, kLatest = -1;

kafka::ListOffsetsRequest question(const std::vector<FetchSession::Partition>& partitions, int64_t which) {
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  for (const FetchSession::Partition& each : partitions) {
    if (request.topics.empty() || request.topics.back().name != each.topic)
      request.topics.emplace_back().name = each.topic;
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition_index = each.key.partition.value();
    partition.current_leader_epoch = each.leader_epoch.value();
    partition.timestamp = which;
  }
  return request;
}

}  // namespace

Task<Result<std::map<LinkPartition, LogRange>>> log_ranges(Env& env, kafka::Client& client,
                                                           std::vector<FetchSession::Partition> partitions,
                                                           Duration timeout) {
  struct Found {
    std::optional<int64_t> log_start, end;
  };
  std::map<std::pair<std::string, int32_t>, Found> found;
  for (int64_t which : {kEarliest, kLatest}) {
    kafka::ListOffsetsRequest request = question(partitions, which);
    auto response = co_await client.call(std::move(request), env.in(timeout));
    if (!response) co_return std::move(response).error();
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        if (partition.error_code != 0 || partition.offset < 0) continue;
        Found& range = found[{topic.name, partition.partition_index}];
        (which == kEarliest ? range.log_start : range.end) = partition.offset;
      }
    }
  }
  std::map<LinkPartition, LogRange> ranges;
  for (const FetchSession::Partition& each : partitions) {
    const Found& range = found[{each.topic, each.key.partition.value()}];
    if (!range.log_start || !range.end) continue;
    ranges[each.key] = LogRange{SourceOffset(*range.log_start), SourceOffset(*range.end)};
  }
  co_return ranges;
}

}  // namespace farshore::replicator
