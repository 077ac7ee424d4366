#include "broker/partitions/topic_creator.h"

#include <utility>

#include "broker/metadata/topic_config.h"
#include "broker/metadata/topic_name.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

}  // namespace

Refusal TopicCreator::check(const NewTopic& topic) const {
  const ClusterImage& image = *metadata_.image();
  if (image.topic(topic.name)) return refuse(Code::kTopicAlreadyExists, "Topic '" + topic.name + "' already exists.");
  if (auto bad = check_topic_name(image, topic.name)) return bad;
  const int32_t most = limits_.partitions_per_topic_max;
  if (topic.partitions < 1 || topic.partitions > most)
    return refuse(topic.partitions < 1 ? Code::kInvalidPartitions : Code::kPolicyViolation,
                  "a topic has 1 to " + std::to_string(most) + " partitions (max.partitions.per.topic), not " +
                      std::to_string(topic.partitions));
  if (image.topics.size() >= static_cast<size_t>(limits_.topics_max))
    return refuse(Code::kPolicyViolation, "there are " + std::to_string(image.topics.size()) +
                                              " topics already, and no more are allowed (max.topics)");
  if (auto checked = check_topic_configs(topic.configs); !checked)
    return refuse(Code::kInvalidConfig, checked.error().detail);
  return {};
}

Task<TopicCreator::Created> TopicCreator::create(NewTopic topic, Deadline deadline) {
  Created result;
  result.refusal = check(topic);
  if (result.refusal) co_return result;
  std::string name = topic.name;
  auto created = co_await metadata_.create_topic(std::move(topic), deadline);
  if (created) {
    result.topic = std::move(*created);
    env_.log().info("topic created",
                    {{"topic", name}, {"topic_id", result.topic->id}, {"partitions", result.topic->partitions.size()}});
    auto applied = co_await partitions_.wait_for(metadata_.image()->revision, deadline);
    if (applied) (void)co_await partitions_.wait_open(result.topic->id, deadline);
    co_return result;
  }
  const Error& error = created.error();
  if (error == ErrorCode::kAlreadyExists)
    result.refusal = refuse(Code::kTopicAlreadyExists, "Topic '" + name + "' already exists.");
  else
    result.refusal = refusal_of(error);
  co_return result;
}

}  // namespace farshore::broker
