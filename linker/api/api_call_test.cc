#include <gtest/gtest.h>

#include "base/sim/world.h"
#include "linker/api/internal/call_bridge.h"

namespace farshore::linker {
namespace {

class ApiCallTest : public testing::Test {
 public:
  ~ApiCallTest() override { world_.kill(env_); }
  Duration from_now(Deadline deadline) { return deadline.at() - env_.now(); }
  static ApiCall within(Duration left) {
    ApiCall call;
    call.left = left;
    return call;
  }
  sim::SimWorld world_{sim::SimOptions()};
  sim::SimEnv& env_ = world_.start_process("gateway", "gateway");
};

TEST_F(ApiCallTest, DeadlineOfTheClientDecidesAlsoIfItIsLongerThanThatOfTheCall) {
  const Duration time = from_now(within(seconds(300)).deadline(env_, seconds(60)));
  EXPECT_GT(time, seconds(298));
  EXPECT_LT(time, seconds(300)) << "the answer needs a moment to arrive";
  EXPECT_EQ(from_now(within(milliseconds(100)).deadline(env_, seconds(60))), milliseconds(90));
}

TEST_F(ApiCallTest, CallOfAClientWithoutADeadlineHasItsOwn) {
  EXPECT_EQ(from_now(ApiCall().deadline(env_, seconds(60))), seconds(60));
  EXPECT_EQ(from_now(ApiCall().deadline_within(env_, seconds(60))), seconds(60));
}

TEST_F(ApiCallTest, LimitThatTheRequestNamesIsNotExceeded) {
  EXPECT_EQ(from_now(within(seconds(300)).deadline_within(env_, seconds(60))), seconds(60));
  EXPECT_EQ(from_now(within(seconds(5)).deadline_within(env_, seconds(60))), seconds(5));
}

}  // namespace
}  // namespace farshore::linker
