// The properties of librdkafka that a FailoverConsumer accepts, and the configuration that is made of them.
#pragma once

#include <map>
#include <string>

#include "offsets/client/consumer/internal/rdkafka_handles.h"
#include "offsets/client/problem.h"

namespace farshore::client {

using Properties = std::map<std::string, std::string>;

// kInvalid: names the first property that is unknown, or that the application must not set.
Problem check_properties(const Properties& properties);

// Where a partition begins for which the group has committed nothing.
enum class FirstOffset { kEarliest, kLatest, kError };
FirstOffset first_offset(const Properties& properties);  // auto.offset.reset; earliest if it is not set

// A configuration of `properties`, with `ours` above them. Null, and `problem` is set: kInvalid.
KafkaConf member_conf(const Properties& properties, const Properties& ours, Problem& problem);

}  // namespace farshore::client
