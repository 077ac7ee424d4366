#include "broker/log/internal/batch_locator.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct BatchLocatorTest : LogTest {};

TEST_F(BatchLocatorTest, BitFlipInAnIndexFileChangesNoLookup) {
  options.segment_bytes = 1500;
  options.index_interval_bytes = 100;
  set_options();
  const int64_t t0 = host->wall_ms() - 100000;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(batch_of(2, t0 + i * 10)));
  ASSERT_TRUE(reopen_clean());
  close();
  const LogHost::Files before = host->files();
  Random random(5);
  std::vector<std::string> victims = files("index");
  ASSERT_GT(victims.size(), 6U);
  for (int round = 0; round < 300; ++round) {
    host->restore(before);
    const std::string& victim = victims[random.below(victims.size())];
    if (before.at(victim).empty()) continue;
    edit(victim, [&](std::string& bytes) {
      const size_t at = random.below(bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    });
    host->start();
    ASSERT_TRUE(open()) << round;
    EXPECT_EQ(bases(0, 300).size(), 40U) << round;
    for (int i = 0; i < 40; i += 3) {
      auto found = run(log->offset_for_time(t0 + i * 10));
      ASSERT_TRUE(found && *found) << round;
      EXPECT_EQ((*found)->offset, Offset(i * 2)) << round;
    }
    close();
  }
}

}  // namespace
}  // namespace farshore::log_test
