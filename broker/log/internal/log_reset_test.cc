#include "broker/log/internal/log_reset.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct LogResetTest : LogTest {};

TEST_F(LogResetTest, ResetLogContinuesAtAnyOffset) {
  fill(5, 2, 3);
  for (int64_t start : {1000L, 0L, 7L}) {
    ASSERT_TRUE(run(log->reset_to(Offset(start))));
    LogEnds ends = log->ends();
    EXPECT_EQ(ends.log_start, Offset(start));
    EXPECT_EQ(ends.end, Offset(start));
    EXPECT_EQ(log->last_epoch(), LogEpoch(-1));
    EXPECT_TRUE(log->producers().empty());
    EXPECT_EQ(append(batch_of(2), 1)->first, Offset(start));
    ASSERT_TRUE(reopen_killed());
    EXPECT_EQ(log->ends().log_start, Offset(start));
    EXPECT_EQ(bases(start), std::vector<int64_t>{start});
  }
}

}  // namespace
}  // namespace farshore::log_test
