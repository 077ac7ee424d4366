// OffsetFetch 1-9: one group, or (8+, KIP-709) several; chosen partitions, or (2+) all that have an offset. What is
// answered is committed; require_stable (7+) has nothing to wait for, because there are no transactional commits.
#include "proto/kafka/messages/offset_fetch.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

template <class Partition>
void fill(Partition& to, int32_t index, const CommittedOffset* committed, Code error) {
  to.partition_index = index;
  to.committed_offset = committed ? committed->offset.value() : -1;
  to.committed_leader_epoch = committed ? committed->leader_epoch : -1;
  to.metadata = committed ? committed->metadata : std::string();
  to.error_code = static_cast<int16_t>(error);
}

// `Topic` and `Asked` are the types of either form of the message. `partition_error`: for version 1, which has no code
// for the whole group.
template <class Topic, class Asked>
void fill_topics(std::vector<Topic>& to, const std::optional<std::vector<Asked>>& asked, const GroupOffsets* offsets,
                 Code partition_error) {
  if (!asked) {
    if (!offsets) return;
    for (const auto& [name, partitions] : offsets->topics()) {
      auto& topic = to.emplace_back();
      topic.name = name;
      for (const auto& [index, committed] : partitions)
        fill(topic.partitions.emplace_back(), index, &committed, Code::kNone);
    }
    return;
  }
  for (const auto& each : *asked) {
    auto& topic = to.emplace_back();
    topic.name = each.name;
    for (const int32_t index : each.partition_indexes)
      fill(topic.partitions.emplace_back(), index, offsets ? offsets->find(each.name, index) : nullptr,
           partition_error);
  }
}

}  // namespace

Task<Result<kafka::OffsetFetchResponse>> handle_offset_fetch(RequestContext& context,
                                                             kafka::OffsetFetchRequest request) {
  Services& services = context.services;
  kafka::OffsetFetchResponse response;
  if (context.api_version >= 8) {
    Repeats<std::string> repeats;
    // "All of them" is a short question with a long answer: a group that is asked for all twice gets none. Partitions
    // that are named are answered as often as they are named.
    for (const auto& group : request.groups)
      if (!group.topics) repeats.add(group.group_id);
    TurnBudget turn(services.env);
    for (auto& group : request.groups) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      const bool repeated = !group.topics && repeats.repeated(group.group_id);
      if (repeated && !repeats.first(group.group_id)) continue;
      auto fetched = services.groups.fetch(group.group_id);
      if (repeated) fetched.error = Code::kInvalidRequest;
      services.metrics.error(fetched.error);
      auto& to = response.groups.emplace_back();
      to.group_id = std::move(group.group_id);
      to.error_code = static_cast<int16_t>(fetched.error);
      if (fetched.error == Code::kNone) fill_topics(to.topics, group.topics, fetched.offsets, Code::kNone);
    }
    co_return response;
  }
  auto fetched = services.groups.fetch(request.group_id);
  services.metrics.error(fetched.error);
  response.error_code = static_cast<int16_t>(fetched.error);
  // Old clients look at the partitions.
  fill_topics(response.topics, request.topics, fetched.offsets, fetched.error);
  co_return response;
}

ApiEntry offset_fetch_api() {
  return api<handle_offset_fetch>("OffsetFetch", {1, 9}, {kGroupDescribe, kTopicDescribe});
}

}  // namespace farshore::broker
