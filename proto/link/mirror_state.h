// The state of a mirror topic, and the only table of which state may follow which. A Farshore target stores it with the
// topic; the gateway keeps it in memory. PENDING is the gateway's alone: the target does not have the topic yet.
//
//   PENDING ---> ACTIVE <------> PAUSED
//      |          | ^ ^---+         |
//      |          v |     |         |
//      |   SOURCE_UNAVAILABLE       |      the source topic, or its cluster, does not answer
//      |          |                 |
//      +------> FAILED <------------+      the source topic was re-created, the source diverged under
//                 |                        on.divergence=stop, the source deleted records before they were mirrored,
//                 |                        or the target refuses the topic: the reason says which. An operator repairs
//                 |                        that and resumes. If the target does not have the topic any more, it is
//                 |                        PENDING then, until it is made again.
//   ACTIVE                   any of ACTIVE, PAUSED, SOURCE_UNAVAILABLE, FAILED
//      |  promote               |  failover (at once, whatever the lag)
//      v                        v
//   PENDING_STOPPED ------> STOPPED -----> PENDING_RESTORE -----> ACTIVE
//      |    (drains, then ends)            (the old source becomes the mirror)
//      +--> back to ACTIVE if the promote is given up
//
// The names are Confluent's mirror topic states. A STOPPED topic is writable. The promotion records of
// all its ends stay with it, also when it is a mirror again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace farshore {

enum class MirrorState : uint8_t {
  kPending,
  kActive,
  kPaused,
  kSourceUnavailable,
  kFailed,
  kPendingStopped,
  kStopped,
  kPendingRestore
};
inline constexpr std::array kMirrorStates{
    MirrorState::kPending, MirrorState::kActive,         MirrorState::kPaused,  MirrorState::kSourceUnavailable,
    MirrorState::kFailed,  MirrorState::kPendingStopped, MirrorState::kStopped, MirrorState::kPendingRestore};

std::string_view name(MirrorState state);  // PENDING, ACTIVE, ...: in stored topics and in the control API
std::optional<MirrorState> parse_mirror_state(std::string_view text);
bool may_follow(MirrorState from, MirrorState to);  // true also if `from` is `to`
// A mirror in this state reads from the source.
bool pumps(MirrorState state);
// The mirror has ended, and can become one again only by way of PENDING_RESTORE.
bool is_end(MirrorState state);
// A target may have stored this state. PENDING is never stored.
bool may_be_stored(MirrorState state);

}  // namespace farshore
