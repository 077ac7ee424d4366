#include "offsets/client/consumer/internal/failover_rule.h"

#include <algorithm>
#include <utility>

namespace farshore::client {
namespace {

// A target that has not answered for so long after the start is reported, also if no error is known.
constexpr FailoverRule::Millis kFirstAnswer = std::chrono::seconds(5);

}  // namespace

FailoverRule::FailoverRule(FailoverRuleOptions options, Millis started)
    : options_(std::move(options)), started_(started) {}

bool FailoverRule::all(const TargetView& target, bool (TopicAtTarget::*condition)() const) const {
  return target.answered && std::all_of(options_.topics.begin(), options_.topics.end(), [&](const std::string& name) {
           auto found = target.topics.find(name);
           return found != target.topics.end() && (found->second.*condition)();
         });
}

bool FailoverRule::may_move(const TargetView& target, Millis now) {
  if (!all(target, &TopicAtTarget::promoted_or_failed_over)) {
    all_ended_since_.reset();
    return false;
  }
  if (!all_ended_since_) all_ended_since_ = now;
  return !consuming_ || all(target, &TopicAtTarget::ended) || now - *all_ended_since_ >= kOpenEndsWait;
}

bool FailoverRule::any_ended(const TargetView& target) const {
  return std::any_of(options_.topics.begin(), options_.topics.end(), [&](const std::string& name) {
    auto found = target.topics.find(name);
    return found != target.topics.end() && found->second.promoted_or_failed_over();
  });
}

std::string FailoverRule::why_waiting(const TargetView& target) const {
  if (!target.answered || !target.problem.empty()) return "the target does not answer: " + target.problem;
  for (const auto& name : options_.topics) {
    auto found = target.topics.find(name);
    if (found == target.topics.end() || found->second.state == TopicAtTarget::State::kNotThere)
      return "the target has no topic " + name;
    if (found->second.state == TopicAtTarget::State::kNotMirror)
      return "the target's topic " + name + " is not a mirror";
    if (found->second.state == TopicAtTarget::State::kMirror)
      return "mirror still active at the target: " + name + " (fail the link over to continue there)";
    if (!found->second.ended()) return "the failover offsets of " + name + " are not known yet";
  }
  return {};
}

FailoverRule::Decision FailoverRule::waiting(std::string why) {
  // The error text of an unreachable target differs from round to round. One event for all of them is enough.
  const std::string kind = why.substr(0, why.find(':'));
  if (kind == said_waiting_) return {};
  said_waiting_ = kind;
  return {Action::kNone, Say::kWaiting, std::move(why)};
}

FailoverRule::Decision FailoverRule::before_start(const TargetView& target, Millis now) {
  if (!target.answered) {
    if (options_.start_without_target_after && now - started_ >= *options_.start_without_target_after) {
      consuming_ = true;
      return {
          Action::kStartSource, Say::kTargetUnknown,
          "started without the target, as start.without.target.after.ms says; it does not answer: " + target.problem};
    }
    if (target.problem.empty() && now - started_ < kFirstAnswer) return {};
    return waiting(
        "the consumer does not start, because the source may have been failed over, and the target does not "
        "answer (start.without.target.after.ms would start it at the source): " +
        target.problem);
  }
  if (any_ended(target))  // the source's copy of an ended topic is old
    return waiting("the consumer does not start, because some topics have ended at the target and others have not: " +
                   why_waiting(target));
  consuming_ = true;
  said_waiting_.clear();
  return {Action::kStartSource, Say::kNothing, {}};
}

FailoverRule::Decision FailoverRule::watch_target(const TargetView& target) {
  const bool unknown = !target.problem.empty();
  if (unknown == target_unknown_) return {};
  target_unknown_ = unknown;
  if (unknown) return {Action::kNone, Say::kTargetUnknown, "the target does not answer: " + target.problem};
  return {Action::kNone, Say::kTargetBack, "the target answers again"};
}

FailoverRule::Decision FailoverRule::decide(const TargetView& target, Millis source_seen, Millis now) {
  if (moved_) return watch_target(target);
  if (may_move(target, now)) {
    moved_ = true;
    return {Action::kMoveToTarget, Say::kNothing, {}};
  }
  if (!consuming_) return before_start(target, now);
  const bool lost = now - std::max(source_seen, started_) >= options_.source_lost_after;
  if (lost != lost_) {
    lost_ = lost;
    said_waiting_.clear();
    if (lost)
      return {Action::kNone, Say::kSourceLost,
              "no answer from the source for " + std::to_string(options_.source_lost_after.count()) + " ms"};
    return {Action::kNone, Say::kSourceBack, "the source answers again"};
  }
  if (lost) return waiting(why_waiting(target));
  return watch_target(target);
}

}  // namespace farshore::client
