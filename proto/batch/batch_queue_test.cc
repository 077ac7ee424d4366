#include "proto/batch/batch_queue.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/testing/manual_reactor.h"
#include "base/testing/seed.h"
#include "proto/batch/builder.h"

namespace farshore {
namespace {

std::vector<std::byte> batch_at(int64_t offset, size_t value_bytes) {
  BatchBuilder builder;
  builder.base_offset(offset).add(1, "k", std::string(value_bytes, 'v'));
  return builder.build();
}

TEST(BatchQueue, GivesBackTheSameBatchesInOrderHoweverTheyAreTaken) {
  Random random(announced_seed(20261129));
  SlabArena arena;
  ManualReactor reactor;
  Budget budget(reactor, "test", 64 << 20);
  for (int round = 0; round < 50; ++round) {
    BatchQueue queue;
    std::vector<std::vector<std::byte>> expected;
    size_t next = 0, bytes = 0;
    auto take = [&] {
      const auto bytes_max = static_cast<size_t>(random.between(1, 3000));
      BatchRun run = queue.take(bytes_max);
      ASSERT_FALSE(run.empty());
      ASSERT_TRUE(run.bytes.size() <= bytes_max || run.batches.size() == 1);
      ASSERT_EQ(run.budget.bytes(), run.bytes.size());
      size_t at = 0;
      for (const BatchHeader& header : run.batches) {
        std::vector<std::byte> raw(header.size_bytes());
        run.bytes.copy_out(at, raw);
        at += raw.size();
        ASSERT_EQ(raw, expected[next++]);
      }
      ASSERT_EQ(at, run.bytes.size());
      bytes -= at;
      ASSERT_EQ(queue.bytes(), bytes);
    };
    for (int i = 0; i < 40; ++i) {
      std::vector<std::byte> received;
      for (int64_t n = random.between(0, 20); n > 0; --n) {
        expected.push_back(batch_at(static_cast<int64_t>(expected.size()), random.below(400)));
        received.insert(received.end(), expected.back().begin(), expected.back().end());
      }
      if (received.empty()) continue;
      BatchRun run = run_of(arena, received);
      run.budget = budget.take(received.size());
      bytes += received.size();
      queue.append(std::move(run));
      for (int64_t n = random.between(0, 6); n > 0 && !queue.empty(); --n) take();
    }
    while (!queue.empty()) take();
    EXPECT_EQ(next, expected.size());
    EXPECT_EQ(queue.bytes(), 0u);
  }
}

// Headers are copied as often as they are taken, so the work is counted by what stays behind: slabs that were taken
// go back while the run is still being taken.
TEST(BatchQueue, TakenSlabsGoBackWhileTheRestOfTheRunWaits) {
  SlabArena arena(0);
  BatchQueue queue;
  std::vector<std::byte> one = batch_at(0, 1000);
  SliceList bytes;
  SlabWriter writer(arena);
  const size_t count = 8 * kSlabBytes / one.size();
  for (size_t i = 0; i < count; ++i) {
    MutableBytes room = writer.room(one.size());
    std::copy(one.begin(), one.end(), room.begin());
    bytes.append(writer.take(one.size()));
  }
  ParseBatches how;
  how.ordered = false;
  queue.append(parse_batches(std::move(bytes), how).value());
  const size_t before = arena.used_bytes();
  for (size_t i = 0; i < count / 2; ++i) (void)queue.take(1);
  EXPECT_LE(arena.used_bytes(), before - 3 * kSlabBytes);
  for (size_t i = count / 2; i < count; ++i) (void)queue.take(1);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace farshore
