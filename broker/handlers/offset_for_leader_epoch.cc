// OffsetForLeaderEpoch 2-4 (KIP-101, KIP-279, KIP-320): where an epoch ends in this log. Consumers and mirrors
// compare it with their own history, and so detect a divergence.
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"

namespace farshore::broker {

Task<Result<kafka::OffsetForLeaderEpochResponse>> handle_offset_for_leader_epoch(
    RequestContext& context, kafka::OffsetForLeaderEpochRequest request) {
  Services& services = context.services;
  kafka::OffsetForLeaderEpochResponse response;
  TurnBudget turn(services.env);
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      auto& answer = to.partitions.emplace_back();
      answer.partition = asked.partition;
      FoundPartition found = find_partition(services.partitions, std::string_view(topic.topic), asked.partition);
      kafka::ErrorCode error = found.error;
      if (found.partition) error = check_leader_epoch(*found.partition, asked.current_leader_epoch);
      services.metrics.error(error);
      answer.error_code = static_cast<int16_t>(error);
      if (error != kafka::ErrorCode::kNone) continue;
      if (asked.leader_epoch < -1) {  // before the first epoch, as Kafka counts
        answer.leader_epoch = asked.leader_epoch;
        answer.end_offset = found.partition->ends().log_start.value();
        continue;
      }
      EpochEnd end = found.partition->log().epoch_end(LogEpoch(asked.leader_epoch));
      answer.leader_epoch = end.epoch.value();
      answer.end_offset = end.end.value();
    }
  }
  co_return response;
}

ApiEntry offset_for_leader_epoch_api() {
  return api<handle_offset_for_leader_epoch>("OffsetForLeaderEpoch", {2, 4}, {kTopicDescribe, kClusterClusterAction});
}

}  // namespace farshore::broker
