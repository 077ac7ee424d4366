// DeleteTopics 1-6, by name or (6) by id. Internal topics stay: the groups live in them.
#include "proto/kafka/messages/delete_topics.h"

#include <set>

#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/client_deadline.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/out_of_time.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Deletable = kafka::DeleteTopicsResponse::DeletableTopicResult;

Task<void> delete_one(RequestContext& context, std::optional<std::string> name, TopicId id, bool repeated,
                      Deadline deadline, Deletable& to) {
  Services& services = context.services;
  ImagePtr image = services.metadata.image();
  const TopicImage* topic = nullptr;
  Code error = Code::kNone;
  std::string message;
  if (repeated) {
    error = Code::kInvalidRequest;
    message = "the topic is named twice in this request";
  } else if (name && !id.is_zero()) {
    error = Code::kInvalidRequest;
    message = "a topic is named by name or by id, not by both";
  } else if (!name && id.is_zero()) {
    error = Code::kInvalidRequest;
    message = "a topic without name and id";
  } else if (Refusal refusal = refuse_out_of_time(services.env, deadline)) {
    error = refusal.code;
    message = std::move(refusal.message);
  } else if (name) {
    topic = image->topic(*name);
    if (!topic) error = Code::kUnknownTopicOrPartition, message = "there is no topic " + *name;
  } else {
    topic = image->topic(id);
    if (!topic) error = Code::kUnknownTopicId, message = "there is no topic with this id";
  }
  if (topic && !services.config.flag("delete.topic.enable")) {
    error = context.api_version < 3 ? Code::kInvalidRequest : Code::kTopicDeletionDisabled;
    message = "deleting topics is switched off (delete.topic.enable)";
  } else if (topic && topic->internal) {
    error = Code::kInvalidRequest;
    message = "topic " + topic->name + " is the broker's own";
  } else if (topic) {
    to.name = topic->name;
    to.topic_id = topic->id;
    auto deleted = co_await services.metadata.delete_topic(topic->id, deadline);
    if (!deleted) {
      error = kafka_error(deleted.error());
      message = deleted.error().to_string();
    } else {
      services.env.log().info("topic deleted", {{"topic", topic->name}, {"topic_id", topic->id}});
      services.groups.topic_deleted(topic->name);
    }
  }
  if (error == Code::kNone) co_return;
  services.metrics.error(error);
  to.name = std::move(name);
  if (!to.name && context.api_version < 6) to.name = "";
  to.topic_id = id;
  to.error_code = static_cast<int16_t>(error);
  if (!message.empty()) to.error_message = std::move(message);
}

}  // namespace

Task<Result<kafka::DeleteTopicsResponse>> handle_delete_topics(RequestContext& context,
                                                               kafka::DeleteTopicsRequest request) {
  kafka::DeleteTopicsResponse response;
  Deadline deadline = client_deadline(context.services.env, request.timeout_ms);
  for (auto& name : request.topic_names) request.topics.emplace_back().name = std::move(name);  // up to version 5
  // By the topic that is meant: it may be named by its name and by its id.
  const ImagePtr image = context.services.metadata.image();
  auto meant = [&](const kafka::DeleteTopicsRequest::DeleteTopicState& asked) -> std::pair<std::string, TopicId> {
    const TopicImage* topic = asked.name ? image->topic(*asked.name) : image->topic(asked.topic_id);
    if (topic) return {topic->name, topic->id};
    return {asked.name.value_or(std::string()), asked.topic_id};
  };
  Repeats<std::pair<std::string, TopicId>> repeats;
  std::set<std::string> named;
  std::set<TopicId> ids;
  for (const auto& topic : request.topics) {
    repeats.add(meant(topic));
    if (topic.name)
      named.insert(*topic.name);
    else
      ids.insert(topic.topic_id);
  }
  TurnBudget turn(context.services.env);
  for (auto& topic : request.topics) {
    if (turn.spend(kListElementWork)) co_await turn.next_turn();
    const auto key = meant(topic);
    if (!repeats.first(key)) continue;
    Deletable to;
    const bool both = named.contains(key.first) && ids.contains(key.second);
    const bool repeated = repeats.repeated(key);
    co_await delete_one(context, std::move(topic.name), topic.topic_id, repeated, deadline, to);
    if (repeated && both) to.name = key.first, to.topic_id = key.second;
    response.responses.push_back(std::move(to));
  }
  // Their logs go later: a topic that takes one of the names waits for that.
  (void)co_await context.services.partitions.wait_for(context.services.metadata.image()->revision, deadline);
  co_return response;
}

ApiEntry delete_topics_api() {
  return api<handle_delete_topics>("DeleteTopics", {1, 6}, {kTopicDelete, kTopicDescribe});
}

}  // namespace farshore::broker
