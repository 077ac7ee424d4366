#include "offsets/store/run_block.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/testing/seed.h"

namespace farshore::offsets {
namespace {

std::vector<TranslationRun> some_runs(Random& random) {
  std::vector<TranslationRun> runs;
  TranslationRun run;
  int32_t epoch = static_cast<int32_t>(random.between(-1, 3));
  for (int64_t n = random.between(1, 200); n > 0; --n) {
    const bool far = random.below(20) == 0;
    int64_t source = run.source_end().value() + random.between(0, far ? int64_t{1} << 40 : 9);
    if (random.below(10) == 0) {
      ++epoch;
      source = random.between(0, source);
    }
    run.target = TargetOffset(run.target_end().value() + random.between(0, far ? int64_t{1} << 40 : 9));
    run.source = SourceOffset(source);
    run.length = random.between(1, far ? int64_t{1} << 40 : 100);
    run.source_epoch = LogEpoch(epoch);
    run.target_epoch = LeadershipEpoch(static_cast<int32_t>(random.between(-1, 2)));
    runs.push_back(run);
  }
  return runs;
}

TEST(RunBlock, RunsComeBackAsTheyWere) {
  Random random(announced_seed(20261129));
  for (int i = 0; i < 300; ++i) {
    const auto runs = some_runs(random);
    const std::string bytes = encode_run_block(runs);
    auto back = decode_run_block(bytes);
    ASSERT_TRUE(back) << back.error().to_string();
    ASSERT_EQ(*back, runs);
  }
}

TEST(RunBlock, DamagedBytesAreCorruptOrPossibleRuns) {
  Random random(announced_seed(20261129));
  for (int i = 0; i < 300; ++i) {
    std::string bytes = encode_run_block(some_runs(random));
    for (size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 50)
      EXPECT_FALSE(decode_run_block(bytes.substr(0, cut)));
    for (int change = 0; change < 20; ++change) {
      std::string other = bytes;
      other[random.below(other.size())] = static_cast<char>(random.below(256));
      auto back = decode_run_block(other);
      if (!back) continue;
      for (const TranslationRun& run : *back) {
        ASSERT_GT(run.length, 0);
        ASSERT_GE(run.source.value(), 0);
        ASSERT_GE(run.target.value(), 0);
        ASSERT_GT(run.source_end().value(), 0);
        ASSERT_GT(run.target_end().value(), 0);
      }
    }
  }
}

}  // namespace
}  // namespace farshore::offsets
