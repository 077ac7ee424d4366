// The runs of a key in memory: what they cost, and that look-ups read nothing else.
#include "offsets/store/key_runs.h"

#include <gtest/gtest.h>

#include "base/memory_kv.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "offsets/store/run_block.h"
#include "offsets/store/testing/runs.h"
#include "offsets/store/translation_store.h"

namespace farshore::offsets {
namespace {

using Items = std::vector<std::pair<std::string, std::string>>;

// Counts what is read, and may fail the next write.
class CountingKv final : public KvStore {
 public:
  Task<Result<std::optional<std::string>>> get(std::string key) override {
    ++reads;
    return kv_.get(std::move(key));
  }
  Task<Result<Items>> scan(std::string begin, std::string end, size_t items_max) override {
    ++reads;
    return kv_.scan(std::move(begin), std::move(end), items_max);
  }
  Task<Result<Items>> scan_reverse(std::string begin, std::string end, size_t items_max) override {
    ++reads;
    return kv_.scan_reverse(std::move(begin), std::move(end), items_max);
  }
  Task<Status> write(KvBatch batch, Sync sync) override {
    if (fail_next) {
      fail_next = false;
      co_return Error(ErrorCode::kNoSpace, "full");
    }
    co_return co_await kv_.write(std::move(batch), sync);
  }

  int reads = 0;
  bool fail_next = false;

 private:
  MemoryKv kv_;
};

class KeyRunsTest : public testing::Test {
 public:
  KeyRunsTest() : world_(sim::SimOptions()), env_(world_.start_process("gateway", "test")) {}
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(100))); }

  Task<Status> fill(TranslationStore& store, uint8_t key, int64_t runs) {
    for (int64_t i = 0; i < runs; ++i) {
      const TranslationRun run = run_of(1, i * 5, i * 7, 3);
      CO_CHECK(co_await store.put_run(key_number(key), run));
    }
    co_return ok();
  }
  Task<void> expect_all(TranslationStore& store, uint8_t key, int64_t runs) {
    for (int64_t i = 0; i < runs; ++i) {
      auto to = co_await store.to_target(key_number(key), SourceOffset(i * 5 + 2), std::nullopt);
      CO_ASSERT_OK(to);
      EXPECT_EQ(to->offset, i * 7 + 2);
      auto back = co_await store.to_source(key_number(key), TargetOffset(i * 7 + 2));
      CO_ASSERT_OK(back);
      EXPECT_EQ(back->offset, i * 5 + 2);
    }
    auto beyond = co_await store.to_target(key_number(key), SourceOffset(runs * 5), std::nullopt);
    EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
  }

 protected:
  sim::SimWorld world_;
  sim::SimEnv& env_;
};

TEST(KeyRuns, RunCostsAFewBytesOfMemory) {
  constexpr int64_t kBlocks = 1000, kRunsOfABlock = 128;
  KeyRuns runs;
  for (int64_t b = 0; b < kBlocks; ++b) {
    KeyRuns::Runs block;
    for (int64_t i = b * kRunsOfABlock; i < (b + 1) * kRunsOfABlock; ++i) block.push_back(run_of(1, i * 9, i * 7, 3));
    runs.add_block(encode_run_block(block));
  }
  EXPECT_LT(runs.bytes(), 8u * kBlocks * kRunsOfABlock);
  EXPECT_GT(runs.bytes(), 4u * kBlocks * kRunsOfABlock) << "the blocks themselves are counted";
  EXPECT_EQ(runs.last_below(TargetOffset(7 * 999 + 1))->source, SourceOffset(9 * 999));
}

ASYNC_TEST_F(KeyRunsTest, LookUpsReadTheKvStoreOnlyTheFirstTime) {
  CountingKv kv;
  {
    TranslationStore store(kv, 4);
    CO_DO(co_await fill(store, 1, 50));
  }
  TranslationStore store(kv, 4);
  auto first = co_await store.to_target(key_number(1), SourceOffset(7), std::nullopt);
  CO_ASSERT_OK(first);
  EXPECT_GT(kv.reads, 0);
  kv.reads = 0;
  for (int64_t i = 0; i < 50; ++i) {
    auto to = co_await store.to_target(key_number(1), SourceOffset(i * 5), std::nullopt);
    CO_ASSERT_OK(to);
    auto back = co_await store.to_source(key_number(1), TargetOffset(i * 7));
    CO_ASSERT_OK(back);
  }
  EXPECT_EQ(kv.reads, 0);
  co_await expect_all(store, 1, 50);
}

ASYNC_TEST_F(KeyRunsTest, KeysThatFindNoRoomInMemoryAnswerAllTheSame) {
  MemoryKv kv;
  constexpr size_t kMemoryMax = 8 << 10;
  TranslationStore store(kv, 4, kMemoryMax);
  for (uint8_t key = 1; key <= 20; ++key) CO_DO(co_await fill(store, key, 40));
  EXPECT_LE(store.memory_bytes(), kMemoryMax);
  for (int round = 0; round < 2; ++round)
    for (uint8_t key = 1; key <= 20; ++key) co_await expect_all(store, key, 40);
  EXPECT_LE(store.memory_bytes(), kMemoryMax);
  EXPECT_GT(store.memory_bytes(), 0u);
}

ASYNC_TEST_F(KeyRunsTest, RunThatCouldNotBeWrittenIsNotAnsweredFromMemory) {
  CountingKv kv;
  TranslationStore store(kv, 4);
  CO_DO(co_await fill(store, 1, 10));
  kv.fail_next = true;
  const TranslationRun next = run_of(1, 50, 70, 3);
  auto failed = co_await store.put_run(key_number(1), next);
  EXPECT_ERROR(failed, ErrorCode::kNoSpace);
  co_await expect_all(store, 1, 10);
  CO_DO(co_await store.put_run(key_number(1), next));
  co_await expect_all(store, 1, 11);
}

ASYNC_TEST_F(KeyRunsTest, ClearedStoreAnswersNothing) {
  MemoryKv kv;
  TranslationStore store(kv, 4);
  CO_DO(co_await fill(store, 1, 30));
  CO_DO(co_await fill(store, 2, 30));
  CO_DO(co_await store.erase(key_number(1)));
  auto gone = co_await store.to_target(key_number(1), SourceOffset(7), std::nullopt);
  EXPECT_ERROR(gone, ErrorCode::kNotFound);
  co_await expect_all(store, 2, 30);
  CO_DO(co_await store.clear());
  gone = co_await store.to_target(key_number(2), SourceOffset(7), std::nullopt);
  EXPECT_ERROR(gone, ErrorCode::kNotFound);
  EXPECT_LT(store.memory_bytes(), 2000u);
}

}  // namespace
}  // namespace farshore::offsets
