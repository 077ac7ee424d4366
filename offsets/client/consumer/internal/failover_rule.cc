#include "offsets/client/consumer/internal/failover_rule.h"

#include <algorithm>
#include <utility>

namespace farshore::client {
namespace {

// A new consumer must not read at a source that was failed over before. So it waits for the target's first answer, but
// not longer than this.
constexpr FailoverRule::Millis kFirstAnswerTimeout = std::chrono::seconds(5);

}  // namespace

FailoverRule::FailoverRule(std::vector<std::string> target_topics, Millis source_lost_after, Millis started)
    : topics_(std::move(target_topics)), lost_after_(source_lost_after), started_(started) {}

bool FailoverRule::all_ended(const TargetView& target) const {
  return target.answered && std::all_of(topics_.begin(), topics_.end(), [&](const std::string& name) {
           auto found = target.topics.find(name);
           return found != target.topics.end() && found->second.ended();
         });
}

std::string FailoverRule::why_waiting(const TargetView& target) const {
  if (!target.answered || !target.problem.empty()) return "the target does not answer: " + target.problem;
  for (const auto& name : topics_) {
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

FailoverRule::Decision FailoverRule::decide(const TargetView& target, Millis source_seen, Millis now) {
  if (moved_) return {};
  if (all_ended(target)) {
    moved_ = true;
    return {Action::kMoveToTarget, Say::kNothing, {}};
  }
  if (!consuming_) {
    if (!target.answered && now - started_ < kFirstAnswerTimeout) return {};
    consuming_ = true;
    return {Action::kStartSource, Say::kNothing, {}};
  }
  const bool lost = now - std::max(source_seen, started_) >= lost_after_;
  if (lost != lost_) {
    lost_ = lost;
    said_waiting_.clear();
    if (lost)
      return {Action::kNone, Say::kSourceLost,
              "no answer from the source for " + std::to_string(lost_after_.count()) + " ms"};
    return {Action::kNone, Say::kSourceBack, "the source answers again"};
  }
  if (lost) {
    std::string why = why_waiting(target);
    // The error text of an unreachable target differs from round to round. One event for all of them is enough.
    const std::string kind = why.substr(0, why.find(':'));
    if (kind == said_waiting_) return {};
    said_waiting_ = kind;
    return {Action::kNone, Say::kWaiting, std::move(why)};
  }
  const bool unknown = !target.problem.empty();
  if (unknown != target_unknown_) {
    target_unknown_ = unknown;
    if (unknown) return {Action::kNone, Say::kTargetUnknown, "the target does not answer: " + target.problem};
  }
  return {};
}

}  // namespace farshore::client
