// Refusals of the broker: Kafka's error code and a message for the client, made from our own errors.
#pragma once

#include "base/result.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/refusal.h"

namespace farshore::broker {

using kafka::Refusal;

// Kafka's code for an error of a partition, the metadata or the log. A handler that knows more says more.
kafka::ErrorCode kafka_error(const Error& error);
Refusal refusal_of(const Error& error);
inline Refusal refusal_of(kafka::ErrorCode code) { return {code, {}}; }

}  // namespace farshore::broker
