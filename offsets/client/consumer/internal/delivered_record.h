// Converts a record of librdkafka to the record that an application gets.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "offsets/client/consumer/failover_consumer.h"

namespace farshore::client {

// Copies everything out of `message`, whose `err` is no error. `topic` is the name at the source.
FailoverConsumer::Record delivered_record(const rd_kafka_message_t& message, std::string topic);

}  // namespace farshore::client
