// The state of a mirror topic, and the only table of what may follow what. What the target cluster keeps durably is
// broker::MirrorTopicState; this one adds PENDING, before the target has it.
//
//   PENDING ---> ACTIVE <------> PAUSED
//      |          | ^ ^---+         |
//      |          v |     |         |
//      |   SOURCE_UNAVAILABLE       |      the source topic, or its cluster, does not answer
//      |          |                 |
//      +------> FAILED <------------+      source topic re-created, divergence under on_divergence=stop, retention
//                 |                        outran the mirror, refused by the target: says why, `resume` after a repair
//   any of ACTIVE, PAUSED, SOURCE_UNAVAILABLE, FAILED
//      |  promote                    | failover (now, whatever the lag)
//      v                             v
//   PENDING_STOPPED ------------> STOPPED -----> PENDING_RESTORE -----> ACTIVE
//      |    (drains, then ends)                  (the old source becomes the mirror)
//      +--> back to ACTIVE when a promote is given up
//
// Words are Confluent's (Mirror topic states); STOPPED topics are writable and keep their promotion record for ever.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace farshore::linker {

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

std::string_view name(MirrorState state);  // PENDING, ACTIVE, ...
std::optional<MirrorState> parse_mirror_state(std::string_view text);
bool may_follow(MirrorState from, MirrorState to);  // staying is always allowed
// Pumps run in this state.
bool pumps(MirrorState state);

}  // namespace farshore::linker
