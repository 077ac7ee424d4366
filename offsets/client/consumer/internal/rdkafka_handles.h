// Owning pointers to the objects of librdkafka.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace farshore::client {

using PartitionKey = std::pair<std::string, int32_t>;  // topic (its name at the member's cluster), partition
using Positions = std::map<PartitionKey, int64_t>;     // an offset of each partition

struct FreeKafkaList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
struct FreeKafkaConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
struct FreeKafkaQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct FreeKafkaEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct FreeKafkaMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};

using KafkaList = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeKafkaList>;
using KafkaConf = std::unique_ptr<rd_kafka_conf_t, FreeKafkaConf>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, FreeKafkaQueue>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, FreeKafkaEvent>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, FreeKafkaMessage>;
using KafkaHandle = std::shared_ptr<rd_kafka_t>;

inline KafkaList kafka_list(const Positions& positions) {
  KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const auto& [key, position] : positions)
    rd_kafka_topic_partition_list_add(list.get(), key.first.c_str(), key.second)->offset = position;
  return list;
}

}  // namespace farshore::client
