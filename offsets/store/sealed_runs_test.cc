// The store with very many runs, and what it answers behind the last of them.
#include <gtest/gtest.h>

#include "base/memory_kv.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "offsets/store/testing/runs.h"
#include "offsets/store/translation_store.h"

namespace farshore::offsets {
namespace {

class SealedRunsTest : public testing::Test {
 public:
  SealedRunsTest() : world_(options()), env_(world_.start_process("gateway", "test")) {}
  static sim::SimOptions options() {
    sim::SimOptions options;
    options.yields = false;
    return options;
  }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(100))); }

 protected:
  sim::SimWorld world_;
  sim::SimEnv& env_;
};

ASYNC_TEST_F(SealedRunsTest, RunCostsAFewBytes) {
  constexpr int64_t kRuns = 50'000;
  MemoryKv kv;
  TranslationStore store(kv);
  LinkPartition key = key_number(1);
  CO_DO(co_await store.set_log_identity("cluster/topic"));
  for (int64_t i = 0; i < kRuns; ++i) {
    TranslationRun run = run_of(1, i * 5, i * 7, 3);
    CO_DO(co_await store.put_run(key, run));
  }
  auto rows = co_await kv.scan("", "", 10'000'000);
  CO_ASSERT_OK(rows);
  size_t bytes = 0;
  for (const auto& [row_key, value] : *rows) bytes += row_key.size() + value.size();
  EXPECT_LT(bytes, 16u * kRuns);
  for (int64_t i = 0; i < kRuns; i += 997) {
    auto got = co_await store.to_target(key, SourceOffset(i * 5 + 2), std::nullopt);
    CO_ASSERT_OK(got);
    EXPECT_EQ(got->offset, i * 7 + 2);
    auto back = co_await store.to_source(key, TargetOffset(i * 7 + 2));
    CO_ASSERT_OK(back);
    EXPECT_EQ(back->offset, i * 5 + 2);
  }
  auto all = co_await store.runs(key, SourceOffset(0), 10'000'000);
  CO_ASSERT_OK(all);
  EXPECT_EQ(all->size(), static_cast<size_t>(kRuns));
  // A program that knows no blocks takes the image for another one; this one does not.
  auto identity = co_await store.log_identity();
  CO_ASSERT_OK(identity);
  EXPECT_EQ(*identity, "cluster/topic");
  auto raw = co_await kv.get("m/log");
  CO_ASSERT_OK(raw);
  EXPECT_EQ(raw->value(), "sealed:cluster/topic");
  CO_DO(co_await store.erase(key));
  auto left = co_await kv.scan("", "", 10);
  CO_ASSERT_OK(left);
  EXPECT_EQ(left->size(), 1u);
}

ASYNC_TEST_F(SealedRunsTest, SealedRunsAreErasedOneByOneFromTheFront) {
  MemoryKv kv;
  TranslationStore store(kv, 4);
  LinkPartition key = key_number(1);
  for (int64_t i = 0; i < 30; ++i) {
    TranslationRun run = run_of(1, i * 5, i * 7, 3);
    CO_DO(co_await store.put_run(key, run));
  }
  for (int64_t i = 0; i < 30; ++i) {
    auto left = co_await store.runs(key, SourceOffset(0), 100);
    CO_ASSERT_OK(left);
    CO_ASSERT(left->size() == static_cast<size_t>(30 - i));
    EXPECT_EQ(left->front().source, SourceOffset(i * 5));
    auto below = co_await store.to_source(key, TargetOffset(i * 7 - 1));
    EXPECT_ERROR(below, ErrorCode::kOutOfRange);
    CO_DO(co_await store.erase_run(key, LogEpoch(1), SourceOffset(i * 5)));
  }
  auto rows = co_await kv.scan("", "", 10);
  CO_ASSERT_OK(rows);
  EXPECT_TRUE(rows->empty());
}

// The source ended with transaction markers, or nothing was relayed yet: a group's commit there is translatable.
ASYNC_TEST_F(SealedRunsTest, OffsetUpToTheNewestAnchorTranslatesToWhereTheNextRecordWillBe) {
  MemoryKv kv;
  TranslationStore store(kv);
  const auto key = key_number(1);
  auto ask = [&](int64_t offset) { return store.to_target(key, SourceOffset(offset), std::nullopt); };
  RelayAnchor anchor;
  anchor.producer = kafka::ProducerIdentity{7, 1};
  anchor.source = SourceOffset(5);
  anchor.source_epoch = LogEpoch(1);
  anchor.target_from = TargetOffset(3);
  CO_DO(co_await store.put_anchor(key, anchor));
  auto begin = co_await ask(5);
  CO_ASSERT_OK(begin);
  EXPECT_EQ(begin->offset, 3);
  EXPECT_TRUE(begin->exact);
  auto below = co_await ask(0);
  CO_ASSERT_OK(below);
  EXPECT_EQ(below->offset, 3);
  EXPECT_FALSE(below->exact);
  auto beyond = co_await ask(6);
  EXPECT_ERROR(beyond, ErrorCode::kNotFound);

  TranslationRun run = run_of(1, 5, 3, 10);
  CO_DO(co_await store.put_run(key, run));
  RelayAnchor behind = anchor;  // two markers at the end of the source, and a takeover's at the target
  behind.sequence = 10;
  behind.source = SourceOffset(17);
  behind.target_from = TargetOffset(14);
  CO_DO(co_await store.put_anchor(key, behind));
  const std::pair<int64_t, int64_t> expected[] = {{14, 12}, {15, 13}, {16, 14}, {17, 14}};
  for (const auto& [source, target] : expected) {
    auto got = co_await ask(source);
    CO_ASSERT_OK(got);
    EXPECT_EQ(got->offset, target) << source;
    EXPECT_EQ(got->exact, source != 16) << source;
  }
  beyond = co_await ask(18);
  EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
  auto back = co_await store.to_source(key, TargetOffset(14));
  CO_ASSERT_OK(back);
  EXPECT_EQ(back->offset, 17);
  EXPECT_TRUE(back->exact);
  back = co_await store.to_source(key, TargetOffset(15));
  EXPECT_ERROR(back, ErrorCode::kOutOfRange);
}

}  // namespace
}  // namespace farshore::offsets
