// DescribeLogDirs 1-4: this broker's data directory, the free space of its disk, and the sizes of its partitions. An
// offline partition is not listed: its size is not known. The size of the whole disk is not known either: -1.
#include "proto/kafka/messages/describe_log_dirs.h"

#include <map>
#include <set>
#include <string_view>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {
namespace {

using Request = kafka::DescribeLogDirsRequest;
using Response = kafka::DescribeLogDirsResponse;

std::string data_directory(const Config& config) {
  std::string path = config.text("log.dir");
  return path.empty() ? config.text("log.dirs") : path;
}

}  // namespace

Task<Result<Response>> handle_describe_log_dirs(RequestContext& context, Request request) {
  Services& services = context.services;
  std::map<std::string_view, std::set<int32_t>> wanted;
  if (request.topics)
    for (const auto& topic : *request.topics)
      wanted[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
  std::map<std::string, std::vector<Response::DescribeLogDirsPartition>> found;
  TurnBudget turn(services.env);
  const std::vector<PartitionPtr> partitions = services.partitions.all();
  for (const auto& partition : partitions) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (request.topics) {
      auto it = wanted.find(partition->topic());
      if (it == wanted.end() || !it->second.contains(partition->partition())) continue;
    }
    auto& to = found[partition->topic()].emplace_back();
    to.partition_index = partition->partition();
    to.partition_size = static_cast<int64_t>(partition->log().size_bytes());
  }
  Response response;
  auto& directory = response.results.emplace_back();
  directory.log_dir = data_directory(services.config);
  directory.usable_bytes = static_cast<int64_t>(services.partitions.free_bytes());
  for (auto& [name, sizes] : found) {
    auto& topic = directory.topics.emplace_back();
    topic.name = name;
    topic.partitions = std::move(sizes);
  }
  co_return response;
}

ApiEntry describe_log_dirs_api() {
  return api<handle_describe_log_dirs>("DescribeLogDirs", {1, 4}, {kClusterDescribe});
}

}  // namespace farshore::broker
