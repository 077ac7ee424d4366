#include "offsets/client/consumer/internal/failover_rule.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

using Action = FailoverRule::Action;
using Say = FailoverRule::Say;
using State = TopicAtTarget::State;
using Millis = FailoverRule::Millis;

TargetView target(std::map<std::string, State> states, std::optional<int64_t> failover_offset = 100) {
  TargetView view;
  view.answered = true;
  for (const auto& [name, state] : states) {
    view.topics[name].state = state;
    view.topics[name].partitions[0] = {100, state == State::kMirror ? std::nullopt : failover_offset, std::nullopt};
  }
  return view;
}

FailoverRule starting(std::vector<std::string> topics, std::optional<Millis> without_target = std::nullopt) {
  return FailoverRule({std::move(topics), Millis(10000), without_target}, Millis(0));
}

FailoverRule consuming(std::vector<std::string> topics) {
  FailoverRule rule = starting(topics);
  std::map<std::string, State> states;
  for (const auto& topic : topics) states[topic] = State::kMirror;
  EXPECT_EQ(rule.decide(target(states), Millis(0), Millis(1)).action, Action::kStartSource);
  return rule;
}

TEST(FailoverRule, FailedMoveIsDecidedAgain) {
  FailoverRule rule = consuming({"a"});
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(1), Millis(2)).action, Action::kMoveToTarget);
  rule.not_moved();
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(1), Millis(3)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, NewConsumerStartsAtATargetThatWasFailedOverBefore) {
  FailoverRule rule = starting({"a"});
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(1)).action, Action::kNone);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(2)).action, Action::kMoveToTarget);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(3)).action, Action::kNone);
}

TEST(FailoverRule, SilentTargetHoldsTheStartBackForEverAndIsReportedOnce) {
  FailoverRule rule = starting({"a"});
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(4999)).say, Say::kNothing);
  auto said = rule.decide(TargetView{}, Millis(0), Millis(5000));
  EXPECT_EQ(said.action, Action::kNone);
  EXPECT_EQ(said.say, Say::kWaiting);
  EXPECT_NE(said.text.find("start.without.target.after.ms"), std::string::npos) << said.text;
  TargetView refused;
  refused.problem = "refused";
  for (int at = 5001; at < 10000000; at += 99999) {
    auto decision = rule.decide(refused, Millis(at), Millis(at));
    EXPECT_EQ(decision.action, Action::kNone);
    EXPECT_EQ(decision.say, Say::kNothing);
  }
  EXPECT_EQ(rule.decide(target({{"a", State::kMirror}}), Millis(0), Millis(10000000)).action, Action::kStartSource);
}

TEST(FailoverRule, ErrorOfTheTargetAtTheStartIsReportedAtOnce) {
  FailoverRule rule = starting({"a"});
  TargetView refused;
  refused.problem = "SASL authentication failed";
  auto said = rule.decide(refused, Millis(0), Millis(1));
  EXPECT_EQ(said.say, Say::kWaiting);
  EXPECT_NE(said.text.find("SASL"), std::string::npos) << said.text;
}

TEST(FailoverRule, UserMayChooseToStartWithoutTheTarget) {
  FailoverRule rule = starting({"a"}, Millis(7000));
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(6999)).action, Action::kNone);
  auto decision = rule.decide(TargetView{}, Millis(0), Millis(7000));
  EXPECT_EQ(decision.action, Action::kStartSource);
  EXPECT_EQ(decision.say, Say::kTargetUnknown);
}

TEST(FailoverRule, StartWaitsWhileOnlySomeTopicsHaveEnded) {
  FailoverRule rule = starting({"a", "b"});
  auto one = target({{"a", State::kFailedOver}, {"b", State::kMirror}});
  auto decision = rule.decide(one, Millis(1), Millis(1));
  EXPECT_EQ(decision.action, Action::kNone);
  EXPECT_EQ(decision.say, Say::kWaiting);
  auto unknown = target({{"a", State::kFailedOver}, {"b", State::kNotMirror}}, std::nullopt);
  EXPECT_EQ(rule.decide(unknown, Millis(2), Millis(2)).action, Action::kNone);
  auto both = target({{"a", State::kFailedOver}, {"b", State::kPromoted}});
  EXPECT_EQ(rule.decide(both, Millis(3), Millis(3)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, SilenceOfTheTargetAfterTheMoveIsReported) {
  auto rule = consuming({"a"});
  auto view = target({{"a", State::kPromoted}});
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(2)).action, Action::kMoveToTarget);
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(3)).say, Say::kNothing);
  view.problem = "refused";
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(4)).say, Say::kTargetUnknown);
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(5)).say, Say::kNothing);
  view.problem.clear();
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(6)).say, Say::kTargetBack);
}

TEST(FailoverRule, PromotionMovesTheConsumerEvenIfTheSourceAnswers) {
  auto rule = consuming({"a"});
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(50), Millis(50)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, ActiveMirrorIsReportedOnceWhileTheSourceIsLost) {
  auto rule = consuming({"a"});
  auto view = target({{"a", State::kMirror}});
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(10000)).say, Say::kNothing);
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(10001)).say, Say::kSourceLost);
  EXPECT_TRUE(rule.source_lost());
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(10002)).say, Say::kWaiting);
  for (int at = 10003; at < 1000000; at += 9999) {
    auto decision = rule.decide(view, Millis(1), Millis(at));
    EXPECT_EQ(decision.action, Action::kNone);
    EXPECT_EQ(decision.say, Say::kNothing);
  }
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(1), Millis(1000000)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, SourceThatAnswersAgainIsReportedWithoutAMove) {
  auto rule = consuming({"a"});
  auto view = target({{"a", State::kMirror}});
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(20000)).say, Say::kSourceLost);
  EXPECT_EQ(rule.decide(view, Millis(20001), Millis(20002)).say, Say::kSourceBack);
  EXPECT_FALSE(rule.source_lost());
}

TEST(FailoverRule, ConsumerMovesOnlyWhenAllTopicsEndedWithKnownOffsets) {
  auto rule = consuming({"a", "b"});
  auto one = target({{"a", State::kFailedOver}, {"b", State::kMirror}});
  EXPECT_EQ(rule.decide(one, Millis(5), Millis(5)).action, Action::kNone);
  auto unknown = target({{"a", State::kFailedOver}, {"b", State::kFailedOver}}, std::nullopt);
  EXPECT_EQ(rule.decide(unknown, Millis(6), Millis(6)).action, Action::kNone);
  auto both = target({{"a", State::kFailedOver}, {"b", State::kPromoted}});
  EXPECT_EQ(rule.decide(both, Millis(7), Millis(7)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, PartitionWhoseEndIsNotKnownHoldsUpTheOthersForSomeSecondsOnly) {
  auto rule = consuming({"a", "b"});
  auto open = target({{"a", State::kFailedOver}, {"b", State::kFailedOver}});
  open.topics["b"].partitions[1] = {-1, std::nullopt, std::nullopt};
  EXPECT_EQ(rule.decide(open, Millis(5), Millis(5)).action, Action::kNone);
  EXPECT_EQ(rule.decide(open, Millis(5), Millis(10004)).action, Action::kNone);
  EXPECT_EQ(rule.decide(open, Millis(5), Millis(10005)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, PartitionWhoseEndIsNotKnownDoesNotHoldUpAStart) {
  FailoverRule rule = starting({"a"});
  auto open = target({{"a", State::kFailedOver}});
  open.topics["a"].partitions[1] = {-1, std::nullopt, std::nullopt};
  EXPECT_EQ(rule.decide(open, Millis(0), Millis(1)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, TopicThatIsMissingOrNotAMirrorPreventsTheMove) {
  for (State state : {State::kNotMirror, State::kNotThere}) {
    auto rule = consuming({"a"});
    EXPECT_EQ(rule.decide(target({{"a", state}}), Millis(1), Millis(20000)).say, Say::kSourceLost);
    auto decision = rule.decide(target({{"a", state}}), Millis(1), Millis(20001));
    EXPECT_EQ(decision.action, Action::kNone);
    EXPECT_EQ(decision.say, Say::kWaiting);
  }
}

}  // namespace
}  // namespace farshore::client
