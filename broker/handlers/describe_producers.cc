// DescribeProducers 0 (KIP-664): the producers that a partition remembers, and their open transactions.
#include "proto/kafka/messages/describe_producers.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/topic_name.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"

namespace farshore::broker {

Task<Result<kafka::DescribeProducersResponse>> handle_describe_producers(RequestContext& context,
                                                                         kafka::DescribeProducersRequest request) {
  Services& services = context.services;
  kafka::DescribeProducersResponse response;
  Repeats<std::pair<std::string_view, int32_t>> repeats;
  TurnBudget turn(services.env);
  for (const auto& topic : request.topics) {
    const Refusal illegal = check_topic_syntax(topic.name);
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    for (int32_t index : topic.partition_indexes) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      if (!repeats.first({topic.name, index})) continue;
      auto& answer = to.partitions.emplace_back();
      answer.partition_index = index;
      FoundPartition found;
      if (illegal) {
        found.error = illegal.code;
        found.why = illegal.message;
      } else {
        found = find_partition(services.partitions, std::string_view(topic.name), index);
      }
      services.metrics.error(found.error);
      answer.error_code = static_cast<int16_t>(found.error);
      if (!found.why.empty())
        answer.error_message = found.why;
      else if (!found.partition)
        answer.error_message = "this broker has no such partition now: " + to.name + "-" + std::to_string(index);
      if (!found.partition) continue;
      for (const ProducerSummary& producer : found.partition->log().producers()) {
        auto& state = answer.active_producers.emplace_back();
        state.producer_id = producer.producer_id;
        state.producer_epoch = producer.producer_epoch;
        state.last_sequence = producer.last_sequence;
        state.last_timestamp = producer.last_timestamp_ms;
        state.coordinator_epoch = producer.coordinator_epoch;
        state.current_txn_start_offset = producer.txn_first ? producer.txn_first->value() : -1;
      }
    }
  }
  co_return response;
}

ApiEntry describe_producers_api() { return api<handle_describe_producers>("DescribeProducers", {0, 0}, {kTopicRead}); }

}  // namespace farshore::broker
