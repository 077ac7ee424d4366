// The store against a naive model: every record of the target is one entry, and every offset is asked for.
#include "offsets/store/translation_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/contract/harness.h"
#include "base/memory_kv.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "base/testing/seed.h"
#include "offsets/store/testing/runs.h"

namespace farshore::offsets {
namespace {

// What is claimed, record by record, in the order of the target.
struct Model {
  struct Entry {
    int32_t epoch;
    int64_t source, target;
  };
  std::vector<Entry> entries;
  int64_t source_end = 0, target_end = 0;  // of the last one

  void lower(int64_t target) {
    std::erase_if(entries, [&](const Entry& e) { return e.target >= target; });
  }
  void put(const TranslationRun& run) {
    std::erase_if(entries, [&](const Entry& e) {
      return e.target >= run.target.value() ||
             std::pair(e.epoch, e.source) >= std::pair(run.source_epoch.value(), run.source.value());
    });
    for (int64_t i = 0; i < run.length; ++i)
      entries.push_back({run.source_epoch.value(), run.source.value() + i, run.target.value() + i});
  }

  struct Answer {
    ErrorCode error = ErrorCode::kNone;
    int64_t offset = 0;
    bool exact = true;
    int32_t epoch = -1;
  };
  Answer to_target(int64_t offset, std::optional<int32_t> epoch) const {
    if (entries.empty()) return {ErrorCode::kNotFound};
    std::optional<int32_t> lineage;
    for (const Entry& e : entries)
      if ((!epoch || e.epoch <= *epoch) && e.source <= offset) lineage = e.epoch;  // epochs ascend
    if (!lineage) return {ErrorCode::kOutOfRange};
    for (const Entry& e : entries)
      if (std::pair(e.epoch, e.source) >= std::pair(*lineage, offset))
        return {ErrorCode::kNone, e.target, e.epoch == *lineage && e.source == offset, e.epoch};
    const Entry& last = entries.back();
    if (last.source + 1 == offset) return {ErrorCode::kNone, last.target + 1, true, last.epoch};
    return {ErrorCode::kOutOfRange};
  }
  Answer to_source(int64_t offset) const {
    if (entries.empty()) return {ErrorCode::kNotFound};
    if (offset < entries.front().target) return {ErrorCode::kOutOfRange};
    for (const Entry& e : entries)
      if (e.target >= offset) return {ErrorCode::kNone, e.source, e.target == offset, e.epoch};
    const Entry& last = entries.back();
    if (last.target + 1 == offset) return {ErrorCode::kNone, last.source + 1, true, last.epoch};
    return {ErrorCode::kOutOfRange};
  }
};

void expect_same(const Result<Translated>& got, const Model::Answer& wanted, const std::string& what) {
  if (wanted.error != ErrorCode::kNone) {
    EXPECT_FALSE(got) << what << " gave " << got->offset;
    if (!got) {
      EXPECT_EQ(error_name(got.error().code), error_name(wanted.error)) << what;
    }
    return;
  }
  ASSERT_TRUE(got) << what << ": " << got.error().to_string();
  EXPECT_EQ(got->offset, wanted.offset) << what;
  EXPECT_EQ(got->exact, wanted.exact) << what;
  EXPECT_EQ(got->source_epoch.value(), wanted.epoch) << what;
}

class TranslationStoreTest : public testing::Test {
 public:
  TranslationStoreTest() : world_(options()), env_(world_.start_process("gateway", "test")) {}
  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = announced_seed(20261126);
    options.yields = false;
    return options;
  }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(100))); }

  // Both directions, every offset, and every epoch that there is.
  static Task<void> compare(TranslationStore& store, LinkPartition key, const Model& model, int64_t source_max,
                            int64_t target_max, int32_t epoch_max, int round) {
    const std::string in_round = " in round " + std::to_string(round);
    for (int64_t offset = 0; offset <= source_max; ++offset) {
      auto got = co_await store.to_target(key, SourceOffset(offset), std::nullopt);
      expect_same(got, model.to_target(offset, std::nullopt), "source " + std::to_string(offset) + in_round);
      for (int32_t epoch = 0; epoch <= epoch_max; ++epoch) {
        std::optional<LogEpoch> asked = LogEpoch(epoch);
        auto of_epoch = co_await store.to_target(key, SourceOffset(offset), asked);
        expect_same(of_epoch, model.to_target(offset, epoch),
                    "source " + std::to_string(offset) + " of epoch " + std::to_string(epoch) + in_round);
      }
    }
    for (int64_t offset = 0; offset <= target_max; ++offset) {
      auto got = co_await store.to_source(key, TargetOffset(offset));
      expect_same(got, model.to_source(offset), "target " + std::to_string(offset) + in_round);
    }
  }

  // A relay with everything that happens to one: gaps at the source, foreign records and markers at the target, runs
  // that grow, new source epochs with and without lost offsets, targets that lose their tail.
  static Task<void> random_relay(KvStore& kv, Random& random, int rounds) {
    // Mostly so few that runs are sealed all the time.
    TranslationStore store(kv, random.chance(0.2) ? RunTable::kSealedRuns : static_cast<size_t>(random.between(1, 6)));
    Model model;
    LinkPartition key = key_number(1), neighbour = key_number(2);
    TranslationRun strange = run_of(9, 7, 7, 5);
    CO_DO(co_await store.put_run(neighbour, strange));
    int32_t epoch = 0;
    int64_t source = random.between(0, 5), target = random.between(0, 5), source_max = 0, target_max = 0;
    for (int round = 0; round < rounds; ++round) {
      if (random.chance(0.4)) source += random.between(1, 4);  // a gap
      if (random.chance(0.4)) target += random.between(1, 4);  // foreign records, a marker
      if (random.chance(0.1)) {
        epoch += static_cast<int32_t>(random.between(1, 2));
        if (random.chance(0.5)) source = std::max<int64_t>(0, source - random.between(1, 6));  // lost, and rewritten
      }
      if (random.chance(0.1) && !model.entries.empty()) {
        const int64_t lost = std::max<int64_t>(0, target - random.between(1, 12));
        CO_DO(co_await store.lower_claim(key, TargetOffset(lost)));
        model.lower(lost);
        if (!model.entries.empty()) {
          source = model.entries.back().source + 1;
          epoch = std::max(epoch, model.entries.back().epoch);
          target = lost;
        }
      }
      TranslationRun run = run_of(epoch, source, target, random.between(1, 6));
      const int growth = random.chance(0.3) ? 3 : 1;
      for (int i = 0; i < growth; ++i) {
        CO_DO(co_await store.put_run(key, run));
        model.put(run);
        if (i + 1 < growth) run.length += random.between(0, 3);
      }
      source = run.source_end().value();
      target = run.target_end().value();
      source_max = std::max(source_max, source);
      target_max = std::max(target_max, target);
      if (round % 8 == 7) co_await compare(store, key, model, source_max + 3, target_max + 3, epoch + 1, round);
      if (testing::Test::HasFailure()) co_return;
    }
    auto untouched = co_await store.to_target(neighbour, SourceOffset(8), std::nullopt);
    CO_ASSERT_OK(untouched);
    EXPECT_EQ(untouched->offset, 8);
  }

  sim::SimWorld world_;
  sim::SimEnv& env_;
};

ASYNC_TEST_F(TranslationStoreTest, EveryOffsetTranslatesAsInTheNaiveModel) {
  for (int i = 0; i < 40 && !testing::Test::HasFailure(); ++i) {
    MemoryKv kv;
    co_await random_relay(kv, world_.random(), 40);
  }
}

ASYNC_TEST_F(TranslationStoreTest, EveryOffsetTranslatesAsInTheNaiveModelOnDisk) {
  auto kv = co_await env_.kv().open("/translation");
  CO_ASSERT_OK(kv);
  co_await random_relay(**kv, world_.random(), 24);
}

ASYNC_TEST_F(TranslationStoreTest, ThousandsOfRunsAreLoweredCompletely) {
  MemoryKv kv;
  TranslationStore store(kv);
  LinkPartition key = key_number(1);
  for (int64_t i = 0; i < 1000; ++i) {
    TranslationRun run = run_of(1, i * 3, i * 4, 2);
    CO_DO(co_await store.put_run(key, run));
  }
  CO_DO(co_await store.lower_claim(key, TargetOffset(401)));
  auto claims = co_await store.claims(key);
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run, std::optional(run_of(1, 300, 400, 1)));
  auto rows = co_await kv.scan("", "", 10'000);
  EXPECT_EQ(rows->size(), 2u) << "one block, found by source and by target";
  TranslationRun first = run_of(1, 0, 0, 1);
  CO_DO(co_await store.put_run(key, first));  // the order decides: everything after it is gone
  rows = co_await kv.scan("", "", 10'000);
  EXPECT_EQ(rows->size(), 2u);
}

ASYNC_TEST_F(TranslationStoreTest, RunsAreListedFromTheOneThatHoldsTheOffset) {
  MemoryKv kv;
  TranslationStore store(kv, 2);
  LinkPartition key = key_number(1);
  const TranslationRun runs[] = {run_of(1, 10, 0, 10), run_of(1, 30, 20, 10), run_of(2, 35, 40, 10)};
  for (const TranslationRun& run : runs) CO_DO(co_await store.put_run(key, run));
  std::map<int64_t, size_t> first = {{0, 0}, {10, 0}, {19, 0}, {20, 1}, {34, 1}, {35, 2}, {44, 2}};
  for (const auto& [from, index] : first) {
    auto listed = co_await store.runs(key, SourceOffset(from), 1);
    CO_ASSERT_OK(listed);
    CO_ASSERT(listed->size() == 1);
    EXPECT_EQ(listed->front(), runs[index]) << from;
  }
  auto beyond = co_await store.runs(key, SourceOffset(45), 1);
  CO_ASSERT_OK(beyond);
  EXPECT_TRUE(beyond->empty());
  auto all = co_await store.runs(key, SourceOffset(0), 10);
  EXPECT_EQ(all->size(), 3u);
}

// Records as a journal writes them: a run grows under one key, then the next one begins. Claims are lowered from the
// highest on.
std::vector<TranslationRecord> random_log(Random& random) {
  std::vector<TranslationRecord> log;
  std::vector<TranslationRun> claimed;
  auto write = [&log](const TranslationRun& run) {
    RunRecord record;
    record.key = key_number(1);
    record.run = run;
    log.push_back(record);
  };
  int64_t source = 0, target = 0;
  for (int i = 0; i < 20; ++i) {
    source += random.between(0, 3);
    target += random.between(0, 3);
    TranslationRun run = run_of(1 + i / 10, source, target, random.between(1, 5));
    write(run);
    if (random.chance(0.5)) {
      run.length += random.between(1, 5);
      write(run);
    }
    claimed.push_back(run);
    source = run.source_end().value();
    target = run.target_end().value();
    if (!random.chance(0.2)) continue;
    const int64_t lost = std::max<int64_t>(0, target - random.between(1, 15));
    while (!claimed.empty() && claimed.back().target_end().value() > lost) {
      TranslationRun lowered = claimed.back();
      lowered.length = std::max<int64_t>(0, lost - lowered.target.value());
      write(lowered);
      claimed.pop_back();
      if (lowered.length > 0) claimed.push_back(lowered);
    }
    target = lost;
    source = claimed.empty() ? 0 : claimed.back().source_end().value();
  }
  return log;
}

ASYNC_TEST_F(TranslationStoreTest, RecordsOfALogGiveTheSameStateWholeCompactedAndReadTwice) {
  for (int i = 0; i < 60 && !testing::Test::HasFailure(); ++i) {
    std::vector<TranslationRecord> log = random_log(world_.random());
    std::map<std::string, size_t> last;
    for (size_t n = 0; n < log.size(); ++n) last[encode_translation(log[n])->key] = n;
    MemoryKv whole, compacted, half;
    TranslationStore of_whole(whole), of_compacted(compacted), of_half(half);
    const size_t cleaned = world_.random().below(log.size() + 1);
    for (size_t n = 0; n < log.size(); ++n) {
      const bool stays = last[encode_translation(log[n])->key] == n;
      CO_DO(co_await of_whole.apply(log[n]));
      if (stays) CO_DO(co_await of_compacted.apply(log[n]));
      if (stays || n >= cleaned) CO_DO(co_await of_half.apply(log[n]));
    }
    auto wanted = co_await whole.scan("", "", 100'000);
    EXPECT_EQ(*wanted, *co_await compacted.scan("", "", 100'000)) << "log " << i;
    EXPECT_EQ(*wanted, *co_await half.scan("", "", 100'000)) << "log " << i;
    // From any earlier position on once more: an image that was stored before its reading position was.
    for (size_t n = world_.random().below(log.size()); n < log.size(); ++n) CO_DO(co_await of_whole.apply(log[n]));
    EXPECT_EQ(*wanted, *co_await whole.scan("", "", 100'000)) << "log " << i;
  }
}

}  // namespace
}  // namespace farshore::offsets
