#include "broker/metadata/topics.h"

#include <algorithm>

#include "broker/broker_config.h"
#include "broker/errors.h"
#include "broker/metadata/topic_config.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {
namespace {

constexpr size_t kTopicNameBytesMax = 249;  // Kafka's: room for "-<partition>" and a suffix in a file name
constexpr std::string_view kGroupOffsetsTopic = "__consumer_offsets";

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

TopicProblem problem(kafka::ErrorCode code, std::string message) { return {code, std::move(message)}; }

// '.' and '_' are the same in the names of metrics: Kafka refuses a name that differs from another one only by them.
const std::string* colliding(const ClusterImage& image, std::string_view name) {
  if (name.find_first_of("._") == std::string_view::npos) return nullptr;
  auto same = [](char a, char b) { return (a == '_' ? '.' : a) == (b == '_' ? '.' : b); };
  for (const auto& [other, topic] : image.topics)
    if (other != name && std::equal(other.begin(), other.end(), name.begin(), name.end(), same)) return &other;
  return nullptr;
}

}  // namespace

TopicProblem check_topic_name(const ClusterImage& image, std::string_view name) {
  using Code = kafka::ErrorCode;
  std::string shown(name.substr(0, kTopicNameBytesMax));
  if (name.empty()) return problem(Code::kInvalidTopicException, "a topic name is not empty");
  if (name == "." || name == "..") return problem(Code::kInvalidTopicException, "a topic name is not '.' or '..'");
  if (name.size() > kTopicNameBytesMax)
    return problem(Code::kInvalidTopicException, "topic name '" + shown + "...' is longer than 249 characters");
  if (!std::all_of(name.begin(), name.end(), name_character))
    return problem(Code::kInvalidTopicException,
                   "topic name '" + shown + "' has characters other than ASCII letters, digits, '.', '_' and '-'");
  if (const std::string* other = colliding(image, name))
    return problem(Code::kInvalidTopicException, "topic name '" + shown + "' collides with existing topic '" + *other +
                                                     "': '.' and '_' are the same in names of metrics");
  return {};
}

TopicProblem check_new_topic(const Services& services, const NewTopic& topic) {
  using Code = kafka::ErrorCode;
  const ClusterImage& image = *services.metadata.image();
  if (image.topic(topic.name)) return problem(Code::kTopicAlreadyExists, "Topic '" + topic.name + "' already exists.");
  if (auto bad = check_topic_name(image, topic.name)) return bad;
  int32_t most = services.options.partitions_per_topic_max;
  if (topic.partitions < 1 || topic.partitions > most)
    return problem(Code::kInvalidPartitions, "a topic has 1 to " + std::to_string(most) +
                                                 " partitions (max.partitions.per.topic), not " +
                                                 std::to_string(topic.partitions));
  if (image.topics.size() >= static_cast<size_t>(services.options.topics_max))
    return problem(Code::kPolicyViolation, "there are " + std::to_string(image.topics.size()) +
                                               " topics already, and no more are allowed (max.topics)");
  if (auto checked = check_topic_configs(topic.configs); !checked)
    return problem(Code::kInvalidConfig, checked.error().detail);
  return {};
}

Task<CreatedTopic> create_topic(Services& services, NewTopic topic, Deadline deadline) {
  CreatedTopic result;
  result.problem = check_new_topic(services, topic);
  if (result.problem) co_return result;
  std::string name = topic.name;
  auto created = co_await services.metadata.create_topic(std::move(topic), deadline);
  if (created) {
    result.topic = std::move(*created);
    services.env.log().info(
        "topic created",
        {{"topic", name}, {"topic_id", result.topic->id}, {"partitions", result.topic->partitions.size()}});
    // Made it is; if opening it takes longer, clients find the partitions not available for a while.
    (void)co_await services.partitions.wait_for(services.metadata.image()->revision, deadline);
    co_return result;
  }
  const Error& error = created.error();
  if (error == ErrorCode::kAlreadyExists)
    result.problem = problem(kafka::ErrorCode::kTopicAlreadyExists, "Topic '" + name + "' already exists.");
  else
    result.problem = problem(kafka_error(error), error.to_string());
  co_return result;
}

NewTopic auto_topic(const Services& services, std::string name) {
  NewTopic topic;
  topic.partitions = services.options.num_partitions;
  if (name == kGroupOffsetsTopic) {
    topic.partitions = static_cast<int32_t>(services.config.number("offsets.topic.num.partitions"));
    topic.internal = true;
    topic.configs["cleanup.policy"] = "compact";
    topic.configs["compression.type"] = "producer";
    topic.configs["segment.bytes"] = services.config.text("offsets.topic.segment.bytes");
  }
  topic.name = std::move(name);
  return topic;
}

}  // namespace farshore::broker
