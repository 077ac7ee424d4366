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
    auto& discovery = *link.add_tasks();
    discovery.set_name("topic-discovery");
    discovery.set_last_begun_ms_ago(10);
    auto& topic = *status_.add_mirrors();
    topic.set_topic("t");
    topic.set_state("ACTIVE");
    topic.add_partitions()->set_last_contact_ms_ago(10);
  }
  Readiness link(int64_t asked_ms_ago = 100) const { return link_readiness(status_, "l", asked_ms_ago); }
  control::v1::TaskStatus& discovery() { return *status_.mutable_links(0)->mutable_tasks(0); }
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
  discovery().set_last_begun_ms_ago(0);
  EXPECT_EQ(link(9).state, State::kNotYet);
  EXPECT_EQ(link(10).state, State::kNotYet) << "10.9 ms are shown as 10";
  EXPECT_EQ(link(11).state, State::kReady);
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

TEST_F(ReadinessTest, TopicThatIsLeftOutKeepsNobodyWaiting) {
  auto& left_out = *status_.add_mirrors();
  left_out.set_topic("a.b");
  left_out.set_state("LEFT_OUT");
  left_out.set_lag_records(-1);
  EXPECT_EQ(link().state, State::kReady);
}

TEST_F(ReadinessTest, LinkThatLeavesAllTopicsOutIsNeverReady) {
  status_.mutable_mirrors(0)->set_state("LEFT_OUT");
  status_.mutable_mirrors(0)->set_state_reason("a cycle");
  EXPECT_EQ(link().state, State::kNever);
  EXPECT_EQ(link().missing, "nothing of link l is mirrored: topic t is LEFT_OUT (a cycle)");
}

TEST_F(ReadinessTest, TopicsThatTheLinkMayNotHaveSeenYetAreWaitedFor) {
  discovery().set_last_begun_ms_ago(100);
  EXPECT_EQ(link(100).state, State::kNotYet) << "a topic was perhaps made since";
  EXPECT_EQ(link(101).state, State::kReady);
  discovery().set_error("source: no answer");
  EXPECT_EQ(link(101).state, State::kNotYet);
  EXPECT_NE(link(101).missing.find("(source: no answer)"), std::string::npos);
  discovery().Clear();
  discovery().set_name("topic-discovery");
  EXPECT_EQ(link(101).state, State::kNotYet) << "no round has ended";
  status_.mutable_links(0)->clear_tasks();
  EXPECT_EQ(link(101).state, State::kNotYet) << "an older gateway does not say";
}

TEST_F(ReadinessTest, WhatTheSourceSaidBeforeTheCommandDoesNotCountHoweverSlowTheAnswerIs) {
  std::chrono::milliseconds now{0};
  auto elapsed = [&] { return now; };
  auto slow = [&](std::string&) -> std::optional<control::v1::StatusReply> {
    partition().set_last_contact_ms_ago(300);  // at the time of the answer, which is here half a second later
    now += std::chrono::milliseconds(500);
    return status_;
  };
  EXPECT_EQ(look_at_gateway("l", elapsed, slow).readiness.state, State::kNotYet);
  now = std::chrono::milliseconds(301);
  EXPECT_EQ(look_at_gateway("l", elapsed, slow).readiness.state, State::kReady);
}

TEST_F(ReadinessTest, GatewayThatDoesNotAnswerIsNotReady) {
  auto elapsed = [] { return std::chrono::milliseconds(0); };
  auto nobody = [](std::string& missing) -> std::optional<control::v1::StatusReply> {
    missing = "no gateway answers";
    return std::nullopt;
  };
  const ReadinessLook look = look_at_gateway("", elapsed, nobody);
  EXPECT_EQ(look.readiness.state, State::kNotYet);
  EXPECT_EQ(look.readiness.missing, "no gateway answers");
}

TEST_F(ReadinessTest, TopicThatHasEndedKeepsNobodyWaiting) {
  auto& ended = *status_.add_mirrors();
  ended.set_topic("u");
  ended.set_state("STOPPED");
  EXPECT_EQ(link().state, State::kReady);
}

}  // namespace
}  // namespace farshore::cli
