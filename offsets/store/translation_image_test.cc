// What the store keeps beside the runs: anchors, unlogged runs, its identity, reading positions; and what it survives.
#include <gtest/gtest.h>

#include "base/contract/harness.h"
#include "base/memory_kv.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "base/testing/seed.h"
#include "offsets/store/testing/runs.h"
#include "offsets/store/translation_store.h"

namespace farshore::offsets {
namespace {

class TranslationImageTest : public testing::Test {
 public:
  TranslationImageTest() : world_(options()), env_(world_.start_process("gateway", "test")) {}
  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = announced_seed(20261126);
    options.yields = false;
    return options;
  }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(1))); }

  sim::SimWorld world_;
  sim::SimEnv& env_;
};

ASYNC_TEST_F(TranslationImageTest, AnchorsComeBackInOrderUntilTheyAreErased) {
  MemoryKv kv;
  TranslationStore store(kv);
  LinkPartition key = key_number(1);
  std::vector<RelayAnchor> wanted;
  for (int16_t epoch = 0; epoch < 20; ++epoch)
    for (int32_t sequence : {0, 300, 70'000}) {
      RelayAnchor anchor;
      anchor.producer = {4000, epoch};
      anchor.sequence = sequence;
      anchor.source = SourceOffset(epoch * 100);
      anchor.source_epoch = LogEpoch(epoch % 3 - 1);
      anchor.target_from = TargetOffset(sequence);
      anchor.settles = epoch % 2 == 1;
      wanted.push_back(anchor);
    }
  for (size_t i = wanted.size(); i-- > 0;) CO_DO(co_await store.put_anchor(key, wanted[i]));
  auto claims = co_await store.claims(key);
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->anchors, wanted);
  EXPECT_FALSE(claims->last_run);
  CO_DO(co_await store.erase_anchor(key, wanted[1]));
  wanted.erase(wanted.begin() + 1);
  claims = co_await store.claims(key);
  EXPECT_EQ(claims->anchors, wanted);
  CO_DO(co_await store.erase(key));
  claims = co_await store.claims(key);
  EXPECT_TRUE(claims->anchors.empty());
}

ASYNC_TEST_F(TranslationImageTest, UnloggedRunsAreTakenBackAndLoggedOnesStay) {
  MemoryKv kv;
  TranslationStore store(kv);
  LinkPartition key = key_number(1);
  TranslationRun logged = run_of(1, 0, 0, 10), grown = run_of(1, 0, 0, 15), next = run_of(1, 20, 30, 5);
  CO_DO(co_await store.put_run(key, logged));
  CO_DO(co_await store.put_unlogged(key, grown, TargetOffset(10)));
  CO_DO(co_await store.put_unlogged(key, next, TargetOffset(10)));
  auto there = co_await store.to_target(key, SourceOffset(22), std::nullopt);
  CO_ASSERT_OK(there);
  EXPECT_EQ(there->offset, 32);
  CO_DO(co_await store.drop_unlogged(key));
  auto claims = co_await store.claims(key);
  EXPECT_EQ(claims->last_run, std::optional(logged));
  CO_DO(co_await store.put_unlogged(key, grown, TargetOffset(10)));
  CO_DO(co_await store.put_run(key, grown));
  CO_DO(co_await store.all_logged(key));
  CO_DO(co_await store.drop_unlogged(key));
  claims = co_await store.claims(key);
  EXPECT_EQ(claims->last_run, std::optional(grown));
}

ASYNC_TEST_F(TranslationImageTest, ImageKeepsItsIdentityAndReadingPositions) {
  MemoryKv kv;
  TranslationStore store(kv);
  EXPECT_EQ((co_await store.log_identity()).value(), "");
  CO_DO(co_await store.set_log_identity("cluster/topic"));
  for (int32_t p = 0; p < 300; ++p) {
    AppliedTo to{p * 10, p - 1};
    CO_DO(co_await store.set_applied(p, to));
  }
  auto applied = co_await store.applied();
  CO_ASSERT_OK(applied);
  EXPECT_EQ(applied->size(), 300u);
  EXPECT_EQ((*applied)[299], (AppliedTo{2990, 298}));
  EXPECT_EQ((co_await store.log_identity()).value(), "cluster/topic");
  CO_DO(co_await store.clear());
  EXPECT_EQ((co_await store.log_identity()).value(), "");
  EXPECT_TRUE((co_await store.applied())->empty());
}

Task<void> lower_claim_durably(sim::SimEnv& env, LinkPartition key) {
  auto kv = co_await env.kv().open("/translation");
  CO_ASSERT_OK(kv);
  CO_DO(co_await env.files().sync_dir("/"));  // the store's own name: KvOpener leaves that to its caller
  TranslationStore store(**kv);
  TranslationRun run = run_of(1, 0, 0, 100);
  CO_DO(co_await store.put_run(key, run, Sync::kYes));
  CO_DO(co_await store.lower_claim(key, TargetOffset(40)));
}

Task<void> expect_lowered_claim(sim::SimEnv& env, LinkPartition key) {
  auto kv = co_await env.kv().open("/translation");
  CO_ASSERT_OK(kv);
  TranslationStore store(**kv);
  auto claims = co_await store.claims(key);
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run, std::optional(run_of(1, 0, 0, 40)));
}

TEST_F(TranslationImageTest, LoweredClaimSurvivesAPowerFailure) {
  LinkPartition key = key_number(1);
  run(lower_claim_durably(env_, key));
  world_.power_off("gateway");
  world_.power_on("gateway");
  sim::SimEnv& again = world_.start_process("gateway", "again");
  EXPECT_TRUE(world_.run(again, expect_lowered_claim(again, key), hours(1)));
}

ASYNC_TEST_F(TranslationImageTest, DamagedRowIsCorruptAndSaysWhatToDo) {
  MemoryKv kv;
  LinkPartition key = key_number(1);
  TranslationRun run = run_of(1, 0, 0, 100);
  {
    TranslationStore before(kv);
    CO_DO(co_await before.put_run(key, run));
  }
  TranslationStore store(kv);  // one that has nothing in memory yet
  auto rows = co_await kv.scan("", "", 10);
  KvBatch batch;
  for (const auto& [row, value] : *rows) batch.put(row, value.substr(1));
  CO_DO(co_await kv.write(std::move(batch), Sync::kNo));
  auto there = co_await store.to_target(key, SourceOffset(5), std::nullopt);
  EXPECT_ERROR(there, ErrorCode::kCorrupt);
  auto back = co_await store.to_source(key, TargetOffset(5));
  EXPECT_ERROR(back, ErrorCode::kCorrupt);
  auto claims = co_await store.claims(key);
  EXPECT_ERROR(claims, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace farshore::offsets
