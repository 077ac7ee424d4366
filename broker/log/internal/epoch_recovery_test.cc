#include "broker/log/internal/epoch_recovery.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct EpochRecoveryTest : LogTest {};

TEST_F(EpochRecoveryTest, EpochFileThatDisagreesWithTheLogIsNotBelieved) {
  fill(3, 2, 1);
  fill(3, 2, 5);
  ASSERT_TRUE(reopen_clean());
  const char* lies[] = {"0\n1\n9 0\n",
                        "0\n2\n1 0\n5 4\n",
                        "0\n2\n1 0\n5 8\n",
                        "0\n3\n1 0\n3 4\n5 6\n",
                        "0\n1\n1 0\n",
                        "",
                        "garbage",
                        "0\n3\n1 0\n5 6\n8 10\n",
                        "0\n3\n1 0\n5 6\n",
                        "7\n0\n",
                        "0\n3\n1 0\n5 6\n9 500\n"};
  for (const char* lie : lies) {
    close();
    disk().put_contents(path_of(log_format::kEpochs), lie);
    host->start();
    ASSERT_TRUE(open()) << lie;
    EXPECT_EQ(log->epoch_end(LogEpoch(1)).end, Offset(6)) << lie;
    EXPECT_EQ(log->epoch_at(Offset(5)), LogEpoch(1)) << lie;
    EXPECT_EQ(log->epoch_at(Offset(6)), LogEpoch(5)) << lie;
    EXPECT_EQ(log->last_epoch(), LogEpoch(5)) << lie;
  }
}

}  // namespace
}  // namespace farshore::log_test
