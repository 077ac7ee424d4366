#include "linker/link/model/fence_recovery.h"

#include "linker/link/testing/link_fixture.h"

namespace farshore::linker {
namespace {

class FenceRecoveryTest : public LinkFixture {
 public:
  FenceRecoveryTest() {
    stored_.spec.mode = LinkMode::kRelay;
    stored_.spec.group_sync = false;
  }
};

TEST_F(FenceRecoveryTest, FencedPartitionIsTakenBackWhileTheLinkIsStillOurs) {
  sink_.fences = 3;
  store_.unavailable = 2;
  link().start();
  EXPECT_TRUE(becomes([&] { return sink_.opened > 0; })) << topic_state("orders");
  EXPECT_EQ(topic_state("orders"), "ACTIVE");
  EXPECT_EQ(state(), LinkState::kActive);
}

TEST_F(FenceRecoveryTest, FencedPartitionFailsWhenAnotherGatewayHasTheLink) {
  sink_.fences = 1;
  StoredLink theirs = stored_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  link().start();
  EXPECT_TRUE(becomes([&] { return topic_state("orders") == "FAILED"; })) << topic_state("orders");
  EXPECT_EQ(state(), LinkState::kFailed);
  EXPECT_EQ(sink_.opened, 0);
}

}  // namespace
}  // namespace farshore::linker
