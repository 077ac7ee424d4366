// The two ends of a run: a producer of prebuilt batches, and one who waits until a topic holds so many records.
#pragma once

#include <string>

#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "tests/bench/payload.h"

namespace farshore::bench {

struct TopicAt {
  Endpoint bootstrap;
  std::string topic;
  int32_t partitions = 8;
};

struct Produced {
  uint64_t records = 0, value_bytes = 0, wire_bytes = 0;
  Duration took{};
};

// Creates the topic if it is not there, then sends `bytes` of batches, one batch per partition in each request (as
// Apache Kafka demands), `in_flight` requests at a time, acks=all. All partitions must have one leader.
Task<Result<Produced>> produce(Env& env, TopicAt at, PayloadOptions payload, uint64_t bytes, int in_flight);

// Resolves when the partitions' end offsets add up to at least `records`; asks every 2 ms. A topic that is not there
// has none. kTimedOut says how many there were.
Task<Result<uint64_t>> wait_for_records(Env& env, TopicAt at, uint64_t records, Deadline deadline);

}  // namespace farshore::bench
