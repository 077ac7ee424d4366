// When a FailoverConsumer moves, and where each partition continues: pure rules, no I/O, no clock (times are
// arguments). See correctness C11: min(position, failover offset), and what lies between is consumed but lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "offsets/client/api.h"

namespace farshore::client {

// What the target said last about one topic, by its name there.
struct TopicAtTarget {
  enum class State { kNotThere, kNotMirror, kMirror, kPromoted, kFailedOver };
  struct Partition {
    int64_t end_offset = -1;
    std::optional<int64_t> failover_offset;         // in offsets of the source
    std::optional<int64_t> failover_target_offset;  // relay: the same place at the target; none: nothing was relayed
  };
  State state = State::kNotThere;
  std::string relay_link;  // the relay link that fills it: its offsets are others than the source's; empty: a mirror
  std::map<int32_t, Partition> partitions;

  // Ended, and every partition's failover offset is known.
  bool ended() const;
};

struct TargetView {
  bool answered = false;  // ever; `topics` is the last answer
  std::string problem;    // why the last round failed; empty: it did not
  std::map<std::string, TopicAtTarget> topics;
};

struct Continuation {
  int64_t failover_offset, position, continued_at, consumed_but_lost;
};
// A partition that the target does not have was never mirrored: its failover offset is 0.
Continuation continuation(const TopicAtTarget& topic, int32_t partition, int64_t position);

// Where `next` is at the target, as far as that is known without the link's translation: always on a mirror; on a relay
// where the partition ended, or where nothing was relayed into it (all that is there is the target's own).
std::optional<int64_t> place_at_target(const TopicAtTarget& topic, int32_t partition, const Continuation& next);

// Where a partition that was just assigned starts: after all that this process delivered and all that the group
// committed. None: neither is known, and auto.offset.reset decides.
std::optional<int64_t> start_of(std::optional<int64_t> delivered_to, std::optional<int64_t> committed);

// Position mirror mode: the same offset if it is one that both sides agree on. Empty text and kNone: translates.
struct MirrorLimit {
  Problem problem;
  int64_t limit = -1;
  bool ended = false;
};
MirrorLimit mirror_limit(const TopicAtTarget* topic, int32_t partition, int64_t offset);

class FailoverRule {
 public:
  using Millis = std::chrono::milliseconds;  // since any fixed moment
  enum class Action { kNone, kStartSource, kMoveToTarget };
  enum class Say { kNothing, kSourceLost, kSourceBack, kWaiting, kTargetUnknown };
  struct Decision {
    Action action = Action::kNone;
    Say say = Say::kNothing;
    std::string text;
  };

  FailoverRule(std::vector<std::string> target_topics, Millis source_lost_after, Millis started);

  // Called often; at most one action and one saying each time. After kMoveToTarget it decides nothing any more, unless
  // that could not be done.
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
