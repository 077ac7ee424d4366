// Metadata 0-13: brokers, topics, leaders. A topic that does not exist is made when the client and
// auto.create.topics.enable allow it, and is answered once it can be used (Kafka answers LEADER_NOT_AVAILABLE first).
#include "proto/kafka/messages/metadata.h"

#include <algorithm>

#include "broker/handlers/internal/authorized_operations.h"
#include "broker/handlers/internal/default_topic.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/partition_description.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/topic_name.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {
namespace {

using kafka::MetadataRequest;
using kafka::MetadataResponse;
using TopicMessage = MetadataResponse::MetadataResponseTopic;

constexpr Duration kAutoCreateLimit = seconds(10);
constexpr int16_t kTopicIdsFrom = 12;
constexpr size_t kAutoCreatePerRequestMax = 100;  // a request that names more gets the rest when it asks again

void describe_topic(RequestContext& context, const TopicImage& topic, bool operations, MetadataResponse& response) {
  TopicMessage& to = response.topics.emplace_back();
  to.name = topic.name;
  to.topic_id = topic.id;
  to.is_internal = topic.internal;
  to.partitions.reserve(topic.partitions.size());
  for (const auto& partition : topic.partitions)
    describe_partition(context.services, topic, partition, to.partitions.emplace_back());
  if (operations) to.topic_authorized_operations = kTopicOperations;
}

TopicMessage& describe_missing(RequestContext& context, const MetadataRequest::MetadataRequestTopic& asked,
                               kafka::ErrorCode error, MetadataResponse& response) {
  context.services.metrics.error(error);
  TopicMessage& to = response.topics.emplace_back();
  to.error_code = static_cast<int16_t>(error);
  to.name = asked.name;
  if (!to.name && context.api_version < kTopicIdsFrom) to.name = "";
  to.topic_id = asked.topic_id;
  return to;
}

// Versions 10 and 11 have a place for topic ids, and Kafka does not take any there: it refuses the whole request.
bool names_ids_too_early(const MetadataRequest& request, int16_t version) {
  return version < kTopicIdsFrom && request.topics &&
         std::any_of(request.topics->begin(), request.topics->end(),
                     [](const auto& topic) { return !topic.name || !topic.topic_id.is_zero(); });
}

MetadataResponse refuse_ids(RequestContext& context, const MetadataRequest& request) {
  MetadataResponse response;
  for (const auto& topic : *request.topics)
    describe_missing(context, topic, kafka::ErrorCode::kInvalidRequest, response);
  return response;
}

}  // namespace

Task<Result<MetadataResponse>> handle_metadata(RequestContext& context, MetadataRequest request) {
  Services& services = context.services;
  MetadataResponse response;
  if (names_ids_too_early(request, context.api_version)) co_return refuse_ids(context, request);
  bool everything = !request.topics || (context.api_version == 0 && request.topics->empty());
  bool operations = request.include_topic_authorized_operations;
  bool may_create = services.config.flag("auto.create.topics.enable") &&
                    (context.api_version < 4 || request.allow_auto_topic_creation);
  ImagePtr image = services.metadata.image();
  if (everything) {
    TurnBudget turn(services.env);
    for (const auto& [name, topic] : image->topics) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      describe_topic(context, *topic, operations, response);
    }
  } else {
    size_t created = 0;
    Repeats<std::pair<std::string, TopicId>> repeats;
    // Kafka's rule: with one id in the request, only ids are looked at.
    const bool by_id = std::any_of(request.topics->begin(), request.topics->end(),
                                   [](const auto& topic) { return !topic.topic_id.is_zero(); });
    TurnBudget turn(services.env);
    for (auto& asked : *request.topics) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      if (by_id && asked.topic_id.is_zero()) continue;
      if (by_id) asked.name.reset();
      if (!repeats.first({asked.name.value_or(std::string()), asked.topic_id})) continue;
      const TopicImage* topic = nullptr;
      if (!asked.topic_id.is_zero()) {
        topic = image->topic(asked.topic_id);
        if (!topic) {
          describe_missing(context, asked, kafka::ErrorCode::kUnknownTopicId, response);
          continue;
        }
      } else {
        std::string name = asked.name.value_or(std::string());
        topic = image->topic(name);
        kafka::ErrorCode error = kafka::ErrorCode::kUnknownTopicOrPartition;
        if (!topic) {
          const bool make = may_create && created < kAutoCreatePerRequestMax;
          // The names of other topics matter only to one that is made: comparing with all of them takes its time.
          if (auto bad = make ? check_topic_name(*image, name) : check_topic_syntax(name)) {
            error = bad.code;
          } else if (make) {
            ++created;
            NewTopic wanted = default_topic(services, name);
            auto made = co_await services.topics.create(std::move(wanted), services.env.in(kAutoCreateLimit));
            image = services.metadata.image();
            topic = image->topic(name);
            if (!topic) error = made.refusal.code;
          }
        }
        if (!topic) {
          TopicMessage& missing = describe_missing(context, asked, error, response);
          if (operations) missing.topic_authorized_operations = kTopicOperations;
          continue;
        }
      }
      describe_topic(context, *topic, operations, response);
    }
  }
  for (const auto& broker : image->brokers) {
    auto& to = response.brokers.emplace_back();
    to.node_id = broker.id.value();
    to.host = broker.advertised.host;
    to.port = broker.advertised.port;
    if (!broker.rack.empty()) to.rack = broker.rack;
  }
  response.cluster_id = image->cluster_id;
  response.controller_id = image->controller.value();
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  co_return response;
}

ApiEntry metadata_api() {
  return api<handle_metadata>("Metadata", {0, 13}, {kTopicDescribe, kTopicCreate, kClusterCreate});
}

}  // namespace farshore::broker
