// DeleteTopics 1-6, by name or (6) by id. Internal topics stay: the groups live in them.
#include "proto/kafka/messages/delete_topics.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/internal/entries.h"
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

Task<void> delete_one(RequestContext& context, std::optional<std::string> name, TopicId id, Deadline deadline,
                      Deletable& to) {
  Services& services = context.services;
  ImagePtr image = services.metadata.image();
  const TopicImage* topic = nullptr;
  Code error = Code::kNone;
  std::string message;
  if (name && !id.is_zero()) {
    error = Code::kInvalidRequest;
    message = "a topic is named by name or by id, not by both";
  } else if (name) {
    topic = image->topic(*name);
    if (!topic) error = Code::kUnknownTopicOrPartition;
  } else {
    topic = image->topic(id);
    if (!topic) error = Code::kUnknownTopicId;
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
      services.groups.topic_deleted(topic->name);
      services.env.log().info("topic deleted", {{"topic", topic->name}, {"topic_id", topic->id}});
      services.groups.topic_deleted(topic->name);
      (void)co_await services.partitions.wait_for(services.metadata.image()->revision, deadline);
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
  Deadline deadline = context.services.env.in(milliseconds(request.timeout_ms));
  for (auto& topic : request.topics) {
    Deletable to;
    co_await delete_one(context, std::move(topic.name), topic.topic_id, deadline, to);
    response.responses.push_back(std::move(to));
  }
  for (auto& name : request.topic_names) {
    Deletable to;
    std::optional<std::string> wanted = std::move(name);
    TopicId no_id;
    co_await delete_one(context, std::move(wanted), no_id, deadline, to);
    response.responses.push_back(std::move(to));
  }
  co_return response;
}

ApiEntry delete_topics_api() {
  return api<handle_delete_topics>("DeleteTopics", {1, 6}, {kTopicDelete, kTopicDescribe});
}

}  // namespace farshore::broker
