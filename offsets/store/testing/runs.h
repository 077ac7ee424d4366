// For the tests of the store: keys, runs, and CO_DO.
#pragma once

#include "base/testing/async_test.h"
#include "offsets/translation/types.h"

// In a coroutine: the statement must succeed. Named, since g++ 12 corrupts frames of an unnamed awaited condition.
#define CO_DO(...)              \
  do {                          \
    auto co_do = (__VA_ARGS__); \
    CO_ASSERT_OK(co_do);        \
  } while (0)

namespace farshore::offsets {

inline LinkPartition key_number(uint8_t n) {
  LinkPartition key;
  Uuid link, topic;
  link.bytes.fill(0xff);  // so that the end of its rows carries over bytes
  topic.bytes[15] = n;
  key.link = LinkId(link);
  key.source_topic = SourceTopicId(topic);
  key.partition = PartitionId(n);
  return key;
}

inline TranslationRun run_of(int32_t epoch, int64_t source, int64_t target, int64_t length) {
  return {SourceOffset(source), TargetOffset(target), length, LogEpoch(epoch), LeadershipEpoch(3)};
}

}  // namespace farshore::offsets
