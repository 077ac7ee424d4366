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

TEST_F(TimeLookupTest, LargestTimestampIsThatOfTheRecordsLeftAboveTheLogStart) {
  auto at = [](std::initializer_list<int64_t> offsets_of_time) {
    BatchBuilder batch;
    for (int64_t plus : offsets_of_time) batch.add(1'700'000'000'000 + plus, "k", "v");
    return batch;
  };
  ASSERT_TRUE(append(at({100, 900, 300})));  // offsets 0 to 2
  ASSERT_TRUE(append(at({500, 400})));       // 3, 4
  ASSERT_TRUE(append(at({200})));            // 5
  commit();
  const int64_t starts[] = {0, 2, 3, 4, 5};
  const int64_t offsets[] = {1, 3, 3, 4, 5};
  const int64_t times[] = {900, 500, 500, 400, 200};
  for (size_t i = 0; i < std::size(starts); ++i) {
    ASSERT_TRUE(run(log->advance_log_start(Offset(starts[i]))));
    auto found = run(log->offset_of_max_time()).value();
    ASSERT_TRUE(found) << "log start " << starts[i];
    EXPECT_EQ(found->offset, Offset(offsets[i])) << "log start " << starts[i];
    EXPECT_EQ(found->timestamp_ms, 1'700'000'000'000 + times[i]);
  }
}

}  // namespace
}  // namespace farshore::log_test
