// Errors of librdkafka as Problems: the kind, Kafka's code, and whether the member can go on.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "offsets/client/problem.h"

namespace farshore::client {

// "<what>: <reason, or librdkafka's text for the error>".
Problem kafka_problem(const std::string& what, rd_kafka_resp_err_t error, const std::string& reason = {});

// True for errors that nothing repairs by itself and that are not about one request: wrong credentials, a certificate
// that is refused, a member that another one replaced. librdkafka repeats the attempt for ever.
bool needs_a_person(rd_kafka_resp_err_t error);

}  // namespace farshore::client
