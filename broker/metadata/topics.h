// Creating and changing topics, as handlers, auto-creation and mirrors share it: checked, written to the metadata, and
// waited for until the partitions are open.
#pragma once

#include <string>
#include <string_view>

#include "broker/metadata/metadata.h"
#include "broker/services.h"
#include "proto/kafka/refusal.h"

namespace farshore::broker {

using TopicProblem = kafka::Refusal;

// INVALID_TOPIC_EXCEPTION: length, characters, or a clash with another name in metrics ('.' against '_').
TopicProblem check_topic_name(const ClusterImage& image, std::string_view name);
// Name, existence, counts, limits, configs. What validate_only answers.
TopicProblem check_new_topic(const Services& services, const NewTopic& topic);

// check_new_topic, then creates, then waits until the partitions can be used. On success `topic` is set.
struct CreatedTopic {
  TopicPtr topic;
  TopicProblem problem;
};
Task<CreatedTopic> create_topic(Services& services, NewTopic topic, Deadline deadline);
// What num.partitions and the reserved names (__consumer_offsets) ask for.
NewTopic auto_topic(const Services& services, std::string name);

}  // namespace farshore::broker
