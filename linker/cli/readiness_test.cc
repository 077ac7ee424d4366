#include "linker/cli/readiness.h"

#include <gtest/gtest.h>

namespace farshore::cli {
namespace {

using State = Readiness::State;

class ReadinessTest : public ::testing::Test {
 protected:
  ReadinessTest() {
    auto& link = *status_.add_links();
    link.mutable_spec()->set_name("l");
    link.set_state("ACTIVE");
    auto& topic = *status_.add_mirrors();
    topic.set_topic("t");
    topic.set_state("ACTIVE");
    topic.add_partitions()->set_last_contact_ms_ago(10);
  }
  Readiness link(int64_t asked_ms_ago = 100) const { return link_readiness(status_, "l", asked_ms_ago); }
  control::v1::MirrorPartition& partition() { return *status_.mutable_mirrors(0)->mutable_partitions(0); }

  control::v1::StatusReply status_;
};

TEST_F(ReadinessTest, LinkWithoutLagIsReady) { EXPECT_EQ(link().state, State::kReady); }

TEST_F(ReadinessTest, GatewayThatHasNotReadItsLinksIsNotReadyAndSaysWhy) {
  status_.set_not_ready_reason("target: nobody answers");
  EXPECT_EQ(gateway_readiness(status_).state, State::kNotYet);
  EXPECT_EQ(link().missing, "the gateway has not read its links yet: target: nobody answers");
}

TEST_F(ReadinessTest, LagThatIsUnknownIsNotZero) {
  partition().set_lag_records(-1);
  EXPECT_EQ(link().state, State::kNotYet);
  partition().set_lag_records(5);
  EXPECT_EQ(link().missing, "mirror topic t partition 0 is 5 records behind");
}

TEST_F(ReadinessTest, WhatTheSourceSaidBeforeTheQuestionDoesNotCount) {
  EXPECT_EQ(link(9).state, State::kNotYet);
  EXPECT_EQ(link(10).state, State::kReady);
  partition().set_last_contact_ms_ago(-1);
  EXPECT_EQ(link().state, State::kNotYet);
}

TEST_F(ReadinessTest, LinkWithoutTopicsIsNotReady) {
  status_.clear_mirrors();
  EXPECT_EQ(link().state, State::kNotYet);
}

TEST_F(ReadinessTest, StateThatOnlyAnOperatorEndsIsNotWaitedFor) {
  status_.mutable_mirrors(0)->set_state("FAILED");
  status_.mutable_mirrors(0)->set_state_reason("gone");
  EXPECT_EQ(link().state, State::kNever);
  EXPECT_EQ(link().missing, "mirror topic t is FAILED (gone)");
  status_.mutable_links(0)->set_state("PAUSED");
  EXPECT_EQ(link().state, State::kNever);
  EXPECT_EQ(link_readiness(status_, "typo", 100).state, State::kNever);
}

TEST_F(ReadinessTest, TopicThatHasEndedKeepsNobodyWaiting) {
  auto& ended = *status_.add_mirrors();
  ended.set_topic("u");
  ended.set_state("STOPPED");
  EXPECT_EQ(link().state, State::kReady);
}

}  // namespace
}  // namespace farshore::cli
