#include "broker/partitions/topic_creator.h"

#include <optional>
#include <utility>

#include "broker/metadata/topic_config.h"
#include "broker/metadata/topic_name.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

// Counts partitions while they are being made.
class UnderWay {
 public:
  UnderWay(Env& env, int64_t& count, int64_t partitions) : env_(env), count_(count), partitions_(partitions) {
    count_ += partitions_;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() {
    if (!env_.dead()) count_ -= partitions_;  // of a dead Env, the counter may be gone
  }

 private:
  Env& env_;
  int64_t& count_;
  const int64_t partitions_;
};

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
  if (!topic.internal)
    if (Refusal full = check_room(topic.partitions)) return full;
  if (auto checked = check_topic_configs(topic.configs); !checked)
    return refuse(Code::kInvalidConfig, checked.error().detail);
  return {};
}

Refusal TopicCreator::check_room(int64_t more) const {
  int64_t there = under_way_;
  for (const auto& [name, topic] : metadata_.image()->topics) there += static_cast<int64_t>(topic->partitions.size());
  if (there + more <= limits_.partitions_max) return {};
  return refuse(Code::kPolicyViolation, "the cluster has " + std::to_string(there) + " partitions, and with " +
                                            std::to_string(more) + " more it would have more than the " +
                                            std::to_string(limits_.partitions_max) +
                                            " that are allowed: raise max.partitions at the broker, or delete topics");
}

Refusal TopicCreator::check_growth(const TopicImage& topic, int32_t count) const {
  const auto now = static_cast<int32_t>(topic.partitions.size());
  if (count <= now)
    return refuse(Code::kInvalidPartitions, "Topic currently has " + std::to_string(now) +
                                                " partitions, which is higher than or equal to the requested " +
                                                std::to_string(count) + ".");
  if (count > limits_.partitions_per_topic_max)
    return refuse(Code::kInvalidPartitions, "a topic has at most " + std::to_string(limits_.partitions_per_topic_max) +
                                                " partitions (max.partitions.per.topic)");
  return check_room(count - now);
}

Task<TopicCreator::Created> TopicCreator::create(NewTopic topic, Deadline deadline) {
  Created result;
  result.refusal = check(topic);
  if (result.refusal) co_return result;
  std::string name = topic.name;
  std::optional<UnderWay> making(std::in_place, env_, under_way_, topic.partitions);
  auto created = co_await metadata_.create_topic(std::move(topic), deadline);
  making.reset();
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

Task<TopicCreator::Created> TopicCreator::grow(TopicPtr topic, int32_t count, Deadline deadline) {
  Created result;
  result.refusal = check_growth(*topic, count);
  if (result.refusal) co_return result;
  UnderWay making(env_, under_way_, count - static_cast<int64_t>(topic->partitions.size()));
  auto grown = co_await metadata_.create_partitions(topic->id, count, deadline);
  if (grown) {
    result.topic = std::move(*grown);
    env_.log().info("partitions added", {{"topic", topic->name}, {"partitions", count}});
  } else if (grown.error() == ErrorCode::kInvalidArgument) {
    result.refusal = refuse(Code::kInvalidPartitions, grown.error().detail);
  } else {
    result.refusal = refusal_of(grown.error());
  }
  co_return result;
}

}  // namespace farshore::broker
