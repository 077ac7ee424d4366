#include "broker/log/internal/time_lookup.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct TimeLookupTest : LogTest {};

TEST_F(TimeLookupTest, FirstRecordAtOrAfterATimestampIsFound) {
  options.segment_bytes = 1500;
  options.index_interval_bytes = 200;
  set_options();
  const int64_t t0 = host->wall_ms() - 1000000;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(batch_of(2, t0 + i * 100)));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) {
      auto exact = run(log->offset_for_time(t0 + i * 100)).value();
      ASSERT_TRUE(exact) << i;
      EXPECT_EQ(exact->offset, Offset(i * 2));
      auto second = run(log->offset_for_time(t0 + i * 100 + 1)).value();
      EXPECT_EQ(second->offset, Offset(i * 2 + 1));
      EXPECT_EQ(second->timestamp_ms, t0 + i * 100 + 1);
    }
    EXPECT_FALSE(run(log->offset_for_time(t0 + 5000)).value());
    EXPECT_EQ(run(log->offset_of_max_time()).value()->offset, Offset(99));
    ASSERT_TRUE(round == 0 ? reopen_clean() : reopen_killed());
  }
}

}  // namespace
}  // namespace farshore::log_test
