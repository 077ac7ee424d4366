// CreatePartitions 0-3. A mirror's partitions follow its source's: clients cannot add any.
#include "proto/kafka/messages/create_partitions.h"
#include "broker/handlers/internal/client_deadline.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/out_of_time.h"
#include "broker/handlers/internal/partition_count.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_table.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Asked = kafka::CreatePartitionsRequest::CreatePartitionsTopic;

Refusal check(const Services& services, const TopicImage* topic, const Asked& asked) {
  if (!topic) return {Code::kUnknownTopicOrPartition, "there is no topic " + asked.name};
  auto now = static_cast<int32_t>(topic->partitions.size());
  if (topic->internal) return {Code::kInvalidRequest, "topic " + asked.name + " is the broker's own"};
  if (topic->mirror && !topic->mirror->writable())
    return {Code::kInvalidRequest, "topic " + asked.name + " is a mirror: its partitions follow the source's"};
  if (Refusal refused = services.topics.check_growth(*topic, asked.count)) return refused;
  if (!asked.assignments) return {};
  if (asked.assignments->size() != static_cast<size_t>(asked.count - now))
    return {Code::kInvalidReplicaAssignment, "every new partition needs an assignment"};
  for (const auto& assignment : *asked.assignments)
    if (assignment.broker_ids != std::vector<int32_t>{services.metadata.self().value()})
      return {Code::kInvalidReplicaAssignment, "a partition has one replica, on this broker"};
  return {};
}

}  // namespace

Task<Result<kafka::CreatePartitionsResponse>> handle_create_partitions(RequestContext& context,
                                                                       kafka::CreatePartitionsRequest request) {
  Services& services = context.services;
  Deadline deadline = client_deadline(services.env, request.timeout_ms);
  kafka::CreatePartitionsResponse response;
  int64_t added = 0;
  Repeats<std::string> repeats;
  for (const auto& asked : request.topics) repeats.add(asked.name);
  TurnBudget turn(services.env);
  for (const auto& asked : request.topics) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    if (!repeats.first(asked.name)) continue;
    auto& to = response.results.emplace_back();
    to.name = asked.name;
    ImagePtr image = services.metadata.image();
    const TopicImage* topic = image->topic(asked.name);
    Refusal refusal = refuse_out_of_time(services.env, deadline);
    if (!refusal) refusal = check(services, topic, asked);
    if (!refusal) {
      added += asked.count - static_cast<int64_t>(topic->partitions.size());
      refusal = check_new_partitions(added, services.topics.limits().partitions_per_topic_max);
    }
    if (repeats.repeated(asked.name)) refusal = {Code::kInvalidRequest, "the topic is named twice in this request"};
    if (!refusal && !request.validate_only) {
      TopicCreator::Created grown = co_await services.topics.grow(image->topics.at(asked.name), asked.count, deadline);
      refusal = std::move(grown.refusal);
      if (!refusal) {
        auto applied = co_await services.partitions.wait_for(services.metadata.image()->revision, deadline);
        if (applied) (void)co_await services.partitions.wait_open(grown.topic->id, deadline);
      }
    }
    if (!refusal) continue;
    services.metrics.error(refusal.code);
    to.error_code = static_cast<int16_t>(refusal.code);
    to.error_message = std::move(refusal.message);
  }
  co_return response;
}

ApiEntry create_partitions_api() { return api<handle_create_partitions>("CreatePartitions", {0, 3}, {kTopicAlter}); }

}  // namespace farshore::broker
