// FailoverRule: decides when a FailoverConsumer starts at the source, when it moves to the target, and which events the
// application gets. Pure: no I/O, no clock (times are arguments).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "offsets/client/target/target_view.h"

namespace farshore::client {

class FailoverRule {
 public:
  using Millis = std::chrono::milliseconds;  // since any fixed point in time
  enum class Action { kNone, kStartSource, kMoveToTarget };
  enum class Say { kNothing, kSourceLost, kSourceBack, kWaiting, kTargetUnknown };
  struct Decision {
    Action action = Action::kNone;
    Say say = Say::kNothing;
    std::string text;
  };

  FailoverRule(std::vector<std::string> target_topics, Millis source_lost_after, Millis started);

  // Called often. Returns at most one action and one event each time. After kMoveToTarget it returns nothing more,
  // unless not_moved() says that the move failed.
  Decision decide(const TargetView& target, Millis source_seen, Millis now);
  void not_moved() { moved_ = false; }
  bool source_lost() const { return lost_; }

 private:
  bool all_ended(const TargetView& target) const;
  std::string why_waiting(const TargetView& target) const;

  const std::vector<std::string> topics_;
  const Millis lost_after_, started_;
  bool consuming_ = false, lost_ = false, moved_ = false, target_unknown_ = false;
  std::string said_waiting_;
};

}  // namespace farshore::client
