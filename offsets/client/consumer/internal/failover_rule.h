// FailoverRule: decides when a FailoverConsumer starts at the source, when it moves to the target, and which events the
// application gets. Pure: no I/O, no clock (times are arguments).
//
// It moves when all topics have ended. Partitions whose failover offset is not known then (they are offline at the
// target) are waited for during kOpenEndsWait, because a known end is exact, and no longer: days may pass, and the
// others can go on. A start does not wait for them: it has no positions (docs/decisions/0212).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "offsets/client/target/target_view.h"

namespace farshore::client {

struct FailoverRuleOptions {
  std::vector<std::string> topics;  // by their names at the target
  std::chrono::milliseconds source_lost_after{0};
  // A silent target may have been failed over long ago, and then the source must not be read. So a start waits for the
  // target's answer. Given: it waits only so long, because the user chose so.
  std::optional<std::chrono::milliseconds> start_without_target_after;
};

class FailoverRule {
 public:
  using Millis = std::chrono::milliseconds;  // since any fixed point in time
  static constexpr Millis kOpenEndsWait = std::chrono::seconds(10);
  enum class Action { kNone, kStartSource, kMoveToTarget };
  enum class Say { kNothing, kSourceLost, kSourceBack, kWaiting, kTargetUnknown, kTargetBack };
  struct Decision {
    Action action = Action::kNone;
    Say say = Say::kNothing;
    std::string text;
  };

  FailoverRule(FailoverRuleOptions options, Millis started);

  // Called often. Returns at most one action and one event each time. After kMoveToTarget it only tells whether the
  // target answers, unless not_moved() says that the move failed.
  Decision decide(const TargetView& target, Millis source_seen, Millis now);
  void not_moved() { moved_ = false; }
  bool source_lost() const { return lost_; }

 private:
  bool may_move(const TargetView& target, Millis now);
  // Every topic fulfils it.
  bool all(const TargetView& target, bool (TopicAtTarget::*condition)() const) const;
  bool any_ended(const TargetView& target) const;
  std::string why_waiting(const TargetView& target) const;
  Decision before_start(const TargetView& target, Millis now);
  Decision waiting(std::string why);
  Decision watch_target(const TargetView& target);

  const FailoverRuleOptions options_;
  const Millis started_;
  std::optional<Millis> all_ended_since_;
  bool consuming_ = false, lost_ = false, moved_ = false, target_unknown_ = false;
  std::string said_waiting_;
};

}  // namespace farshore::client
