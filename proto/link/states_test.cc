#include <gtest/gtest.h>

#include "proto/link/link_state.h"
#include "proto/link/mirror_state.h"

namespace farshore {
namespace {

TEST(LinkStates, EveryNameParsesBackToItsState) {
  for (auto state : kLinkStates) EXPECT_EQ(parse_link_state(name(state)), state);
  EXPECT_EQ(parse_link_state("active"), std::nullopt);
}

TEST(LinkStates, SilentSourceDoesNotMakeAFailedLinkUnavailable) {
  EXPECT_FALSE(may_follow(LinkState::kFailed, LinkState::kUnavailable));
  EXPECT_FALSE(may_follow(LinkState::kPaused, LinkState::kUnavailable));
  EXPECT_TRUE(may_follow(LinkState::kActive, LinkState::kUnavailable));
}

TEST(MirrorStates, EveryNameParsesBackToItsState) {
  for (auto state : kMirrorStates) EXPECT_EQ(parse_mirror_state(name(state)), state);
}

TEST(MirrorStates, StoppedIsFollowedOnlyByPendingRestore) {
  for (auto to : kMirrorStates) {
    bool allowed = to == MirrorState::kStopped || to == MirrorState::kPendingRestore;
    EXPECT_EQ(may_follow(MirrorState::kStopped, to), allowed) << name(to);
  }
}

TEST(MirrorStates, FailoverIsAllowedInEveryStateThatHasAMirror) {
  for (auto from : {MirrorState::kActive, MirrorState::kPaused, MirrorState::kSourceUnavailable, MirrorState::kFailed,
                    MirrorState::kPendingStopped})
    EXPECT_TRUE(may_follow(from, MirrorState::kStopped)) << name(from);
  EXPECT_FALSE(may_follow(MirrorState::kPending, MirrorState::kStopped));
}

TEST(MirrorStates, PausedStoppedAndFailedMirrorsDoNotPump) {
  EXPECT_TRUE(pumps(MirrorState::kActive));
  EXPECT_TRUE(pumps(MirrorState::kPendingStopped));
  EXPECT_FALSE(pumps(MirrorState::kPaused));
  EXPECT_FALSE(pumps(MirrorState::kStopped));
  EXPECT_FALSE(pumps(MirrorState::kFailed));
}

TEST(MirrorStates, EveryStateButPendingMayBeStored) {
  for (auto state : kMirrorStates) EXPECT_EQ(may_be_stored(state), state != MirrorState::kPending) << name(state);
}

}  // namespace
}  // namespace farshore
