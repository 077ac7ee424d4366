// For tests of what the linker stores at a Kafka cluster: KafkaFixture (a gateway process and a FakeKafka on the
// simulated network) and helpers for stored entries.
#pragma once

#include "linker/store/link_store.h"
#include "proto/kafka/fake/testing/kafka_world.h"

// In a coroutine: the statement must succeed. Its result has a name, because g++ 12 corrupts frames with unnamed ones.
#define CO_DO(...)              \
  do {                          \
    auto co_do = (__VA_ARGS__); \
    CO_ASSERT_OK(co_do);        \
  } while (0)

namespace farshore::linker {

using kafka::KafkaFixture;

inline StoredEntry entry(std::string key, std::string value, int64_t revision) {
  StoredEntry out;
  out.key = std::move(key);
  out.value = std::move(value);
  out.revision = revision;
  return out;
}

// The entry is a named argument: g++ 12 destroys an unnamed one twice.
inline Task<Result<int64_t>> put(LinkStore& store, StoredEntry what, Deadline deadline) {
  return store.replace(std::move(what), deadline);
}

}  // namespace farshore::linker
