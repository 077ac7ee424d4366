#include "offsets/client/failover_rule.h"

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

TEST(Continuation, starts_at_the_smaller_of_position_and_failover_offset_and_counts_what_is_lost) {
  TopicAtTarget topic;
  topic.partitions[0].failover_offset = 100;
  EXPECT_EQ(continuation(topic, 0, 60).continued_at, 60);
  EXPECT_EQ(continuation(topic, 0, 60).consumed_but_lost, 0);
  EXPECT_EQ(continuation(topic, 0, 100).continued_at, 100);
  EXPECT_EQ(continuation(topic, 0, 100).consumed_but_lost, 0);
  EXPECT_EQ(continuation(topic, 0, 130).continued_at, 100);
  EXPECT_EQ(continuation(topic, 0, 130).consumed_but_lost, 30);
}

TEST(Continuation, of_a_partition_that_was_never_mirrored_starts_at_its_beginning_and_all_is_lost) {
  auto next = continuation(TopicAtTarget{}, 3, 7);
  EXPECT_EQ(next.continued_at, 0);
  EXPECT_EQ(next.consumed_but_lost, 7);
}

TEST(PlaceAtTarget, of_a_mirror_is_the_same_offset_and_of_a_relay_only_its_end_is_known_here) {
  TopicAtTarget topic;
  topic.partitions[0].failover_offset = 100;
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 60)), 60);
  topic.relay_link = "l";
  topic.partitions[0].failover_target_offset = 140;
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 60)), std::nullopt);
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 100)), 140);
  EXPECT_EQ(place_at_target(topic, 0, continuation(topic, 0, 130)), 140);
  topic.partitions[1].failover_offset = 0;  // nothing was relayed into it: what is there is the target's own
  EXPECT_EQ(place_at_target(topic, 1, continuation(topic, 1, 0)), 0);
  EXPECT_EQ(place_at_target(topic, 1, continuation(topic, 1, 7)), 0);
  EXPECT_EQ(place_at_target(topic, 2, continuation(topic, 2, 7)), 0);
}

TEST(StartOf, an_assigned_partition_starts_after_what_was_delivered_and_what_was_committed) {
  EXPECT_EQ(start_of(5, 9), 9);
  EXPECT_EQ(start_of(9, 5), 9);
  EXPECT_EQ(start_of(9, std::nullopt), 9);
  EXPECT_EQ(start_of(std::nullopt, 5), 5);
  EXPECT_EQ(start_of(std::nullopt, std::nullopt), std::nullopt);
}

TEST(FailoverRule, a_move_that_could_not_be_made_is_asked_for_again) {
  FailoverRule rule = consuming({"a"});
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(1), Millis(2)).action, Action::kMoveToTarget);
  rule.not_moved();
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(1), Millis(3)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, a_new_consumer_goes_straight_to_a_target_that_was_failed_over_before) {
  FailoverRule rule({"a"}, Millis(10000), Millis(0));
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(1)).action, Action::kNone);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(2)).action, Action::kMoveToTarget);
  EXPECT_EQ(rule.decide(target({{"a", State::kFailedOver}}), Millis(0), Millis(3)).action, Action::kNone);
}

TEST(FailoverRule, a_target_that_does_not_answer_holds_a_start_at_the_source_for_five_seconds) {
  FailoverRule rule({"a"}, Millis(10000), Millis(0));
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(4999)).action, Action::kNone);
  EXPECT_EQ(rule.decide(TargetView{}, Millis(0), Millis(5000)).action, Action::kStartSource);
}

TEST(FailoverRule, a_promotion_moves_it_though_the_source_answers) {
  auto rule = consuming({"a"});
  EXPECT_EQ(rule.decide(target({{"a", State::kPromoted}}), Millis(50), Millis(50)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, an_active_mirror_is_waited_for_and_said_once_however_long_the_source_is_gone) {
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

TEST(FailoverRule, a_source_that_comes_back_is_said_and_nothing_moves) {
  auto rule = consuming({"a"});
  auto view = target({{"a", State::kMirror}});
  EXPECT_EQ(rule.decide(view, Millis(1), Millis(20000)).say, Say::kSourceLost);
  EXPECT_EQ(rule.decide(view, Millis(20001), Millis(20002)).say, Say::kSourceBack);
  EXPECT_FALSE(rule.source_lost());
}

TEST(FailoverRule, moves_only_when_all_topics_have_ended_and_all_failover_offsets_are_known) {
  auto rule = consuming({"a", "b"});
  auto one = target({{"a", State::kFailedOver}, {"b", State::kMirror}});
  EXPECT_EQ(rule.decide(one, Millis(5), Millis(5)).action, Action::kNone);
  auto unknown = target({{"a", State::kFailedOver}, {"b", State::kFailedOver}}, std::nullopt);
  EXPECT_EQ(rule.decide(unknown, Millis(6), Millis(6)).action, Action::kNone);
  auto both = target({{"a", State::kFailedOver}, {"b", State::kPromoted}});
  EXPECT_EQ(rule.decide(both, Millis(7), Millis(7)).action, Action::kMoveToTarget);
}

TEST(FailoverRule, a_topic_that_is_no_mirror_or_not_there_is_never_moved_to) {
  for (State state : {State::kNotMirror, State::kNotThere}) {
    auto rule = consuming({"a"});
    EXPECT_EQ(rule.decide(target({{"a", state}}), Millis(1), Millis(20000)).say, Say::kSourceLost);
    auto decision = rule.decide(target({{"a", state}}), Millis(1), Millis(20001));
    EXPECT_EQ(decision.action, Action::kNone);
    EXPECT_EQ(decision.say, Say::kWaiting);
  }
}

TEST(MirrorLimit, positions_translate_up_to_the_mirrors_end_or_the_failover_offset_and_not_past_it) {
  TopicAtTarget topic;
  topic.state = State::kMirror;
  topic.partitions[0].end_offset = 10;
  EXPECT_FALSE(mirror_limit(&topic, 0, 10).problem);
  EXPECT_EQ(mirror_limit(&topic, 0, 11).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_EQ(mirror_limit(&topic, 0, -1).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_EQ(mirror_limit(&topic, 1, 0).problem.kind, Problem::Kind::kNotMirrored);
  topic.state = State::kFailedOver;
  topic.partitions[0] = {500, 8, std::nullopt};
  EXPECT_FALSE(mirror_limit(&topic, 0, 8).problem);
  EXPECT_EQ(mirror_limit(&topic, 0, 9).problem.kind, Problem::Kind::kOutOfRange);
  EXPECT_TRUE(mirror_limit(&topic, 0, 8).ended);
  EXPECT_EQ(mirror_limit(nullptr, 0, 0).problem.kind, Problem::Kind::kNotMirrored);
}

}  // namespace
}  // namespace farshore::client
