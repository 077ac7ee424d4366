#include "offsets/client/failover_rule.h"

#include <algorithm>
#include <utility>

namespace farshore::client {
namespace {

// A new consumer must not read at a source that was failed over before, so it hears the target first, but not for ever.
constexpr FailoverRule::Millis kHearTargetFirst = std::chrono::seconds(5);

}  // namespace

bool TopicAtTarget::ended() const {
  if (state != State::kPromoted && state != State::kFailedOver) return false;
  return std::all_of(partitions.begin(), partitions.end(), [](const auto& p) { return p.second.failover_offset; });
}

Continuation continuation(const TopicAtTarget& topic, int32_t partition, int64_t position) {
  int64_t end = 0;
  if (auto found = topic.partitions.find(partition); found != topic.partitions.end())
    end = found->second.failover_offset.value_or(0);
  return {end, position, std::min(position, end), std::max<int64_t>(0, position - end)};
}

std::optional<int64_t> place_at_target(const TopicAtTarget& topic, int32_t partition, const Continuation& next) {
  if (topic.relay_link.empty()) return next.continued_at;
  auto found = topic.partitions.find(partition);
  if (found == topic.partitions.end() || !found->second.failover_target_offset) return 0;
  if (next.continued_at >= next.failover_offset) return found->second.failover_target_offset;
  return std::nullopt;
}

std::optional<int64_t> start_of(std::optional<int64_t> delivered_to, std::optional<int64_t> committed) {
  if (delivered_to && committed) return std::max(*delivered_to, *committed);
  return delivered_to ? delivered_to : committed;
}

MirrorLimit mirror_limit(const TopicAtTarget* topic, int32_t partition, int64_t offset) {
  using State = TopicAtTarget::State;
  MirrorLimit out;
  if (!topic || topic->state == State::kNotThere) {
    out.problem = {Problem::Kind::kNotMirrored, "the target has no such topic"};
    return out;
  }
  if (topic->state == State::kNotMirror) {
    out.problem = {Problem::Kind::kNotMirrored, "the target's topic is not a mirror"};
    return out;
  }
  auto found = topic->partitions.find(partition);
  if (found == topic->partitions.end()) {
    out.problem = {Problem::Kind::kNotMirrored, "the target's topic has no partition " + std::to_string(partition)};
    return out;
  }
  out.ended = topic->state != State::kMirror;
  if (out.ended && !found->second.failover_offset) {
    out.problem = {Problem::Kind::kUnavailable, "the failover offset is not known yet"};
    return out;
  }
  out.limit = out.ended ? *found->second.failover_offset : found->second.end_offset;
  if (offset < 0 || offset > out.limit)
    out.problem = {Problem::Kind::kOutOfRange, "offset " + std::to_string(offset) + " is not in [0, " +
                                                   std::to_string(out.limit) + "], " +
                                                   (out.ended ? "where the mirror ended" : "what is mirrored so far")};
  return out;
}

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
    if (!target.answered && now - started_ < kHearTargetFirst) return {};
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
    // The words of an unreachable target differ from round to round; one event for all of them is enough.
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
