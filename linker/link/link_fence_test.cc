// A relayed partition is fenced: by a gateway that has taken the link over, or by one that has lost it and does not
// know.
#include "linker/link/link_controller_fixture.h"

namespace farshore::linker {
namespace {

class LinkFenceTest : public LinkControllerFixture {
 public:
  LinkFenceTest() {
    link_.spec.mode = LinkMode::kRelay;
    link_.spec.group_sync = false;
  }
  std::string state() const {
    const auto mirror = controller_->describe_mirror("orders");
    return mirror ? mirror->state() : "";
  }
};

TEST_F(LinkFenceTest, WhoIsInControlTakesThePartitionBack) {
  sink_.fences = 3;
  store_.unavailable = 2;
  controller().start();
  EXPECT_TRUE(becomes([&] { return sink_.opened > 0; })) << state();
  EXPECT_EQ(state(), "ACTIVE");
  EXPECT_EQ(controller_->state(), LinkState::kActive);
}

TEST_F(LinkFenceTest, WhoIsNotInControlAnyMoreStops) {
  sink_.fences = 1;
  StoredLink theirs = link_;
  theirs.epoch = LinkEpoch(5);
  store_.stored.value = encode(theirs);
  controller().start();
  EXPECT_TRUE(becomes([&] { return state() == "FAILED"; })) << state();
  EXPECT_EQ(controller_->state(), LinkState::kFailed);
  EXPECT_EQ(sink_.opened, 0);
}

}  // namespace
}  // namespace farshore::linker
