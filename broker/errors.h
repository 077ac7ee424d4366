// What goes wrong inside the broker, as Kafka's wire codes.
#pragma once

#include "base/result.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

// For errors of partitions, the metadata and the log, where the handler has nothing more precise to say.
kafka::ErrorCode kafka_error(const Error& error);

}  // namespace farshore::broker
