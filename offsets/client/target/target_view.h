// TargetView: the last answer of a target cluster about the topics of a link. Values, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace farshore::client {

// One topic, by its name at the target.
struct TopicAtTarget {
  enum class State { kNotThere, kNotMirror, kMirror, kPromoted, kFailedOver };
  struct Partition {
    int64_t end_offset = -1;                        // -1: unknown
    std::optional<int64_t> failover_offset;         // in offsets of the source
    std::optional<int64_t> failover_target_offset;  // relay: the same position at the target; none: nothing was relayed
  };
  State state = State::kNotThere;
  std::string relay_link;  // the relay link that fills the topic; empty: a mirror, whose offsets are the source's
  std::map<int32_t, Partition> partitions;

  bool promoted_or_failed_over() const { return state == State::kPromoted || state == State::kFailedOver; }
  // That, and the failover offset of every partition is known.
  bool ended() const;
  // Of a topic that was promoted or failed over: where this partition ended is not known, because it is offline.
  bool is_open(int32_t partition) const;
};

struct TargetView {
  bool answered = false;   // at least once; `topics` is the last answer
  std::string problem;     // why the last round failed; empty: it succeeded
  bool refused = false;    // the last round failed in a way that only a person can repair (credentials, permissions)
  int16_t kafka_code = 0;  // of the broker that refused; 0: none
  std::map<std::string, TopicAtTarget> topics;
};

}  // namespace farshore::client
