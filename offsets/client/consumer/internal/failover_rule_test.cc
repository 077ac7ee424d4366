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

FailoverRule consuming(std::vector<std::string> topics) {
  FailoverRule rule(topics, Millis(10000), Millis(0));
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
  FailoverRule rule({"a"}, Millis(10000), Millis(0));
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(1)).action, Action::kNone);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(2)).action, Action::kMoveToTarget);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(3)).action, Action::kNone);
}

TEST(FailoverRule, SilentTargetDelaysTheStartAtTheSourceByFiveSeconds) {
  FailoverRule rule({"a"}, Millis(10000), Millis(0));
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(4999)).action, Action::kNone);
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(5000)).action, Action::kStartSource);
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
