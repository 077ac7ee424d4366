#include "proto/link/mirror_state.h"

#include "proto/link/internal/state_tables.h"

namespace farshore {
namespace {

using enum MirrorState;

constexpr std::pair<MirrorState, std::string_view> kNames[] = {
    {kPending, "PENDING"}, {kActive, "ACTIVE"},
    {kPaused, "PAUSED"},   {kSourceUnavailable, "SOURCE_UNAVAILABLE"},
    {kFailed, "FAILED"},   {kPendingStopped, "PENDING_STOPPED"},
    {kStopped, "STOPPED"}, {kPendingRestore, "PENDING_RESTORE"},
};

constexpr std::pair<MirrorState, MirrorState> kEdges[] = {
    {kPending, kActive},
    {kPending, kFailed},
    {kPending, kPaused},
    {kActive, kPaused},
    {kPaused, kActive},
    {kActive, kSourceUnavailable},
    {kSourceUnavailable, kActive},
    {kSourceUnavailable, kPaused},
    {kActive, kFailed},
    {kPaused, kFailed},
    {kSourceUnavailable, kFailed},
    {kFailed, kActive},
    {kFailed, kPaused},
    {kFailed, kPending},
    // promote
    {kActive, kPendingStopped},
    {kPendingStopped, kStopped},
    {kPendingStopped, kActive},
    {kPendingStopped, kFailed},
    // failover: at once, from every state in which there is a mirror
    {kActive, kStopped},
    {kPaused, kStopped},
    {kSourceUnavailable, kStopped},
    {kFailed, kStopped},
    // failback
    {kStopped, kPendingRestore},
    {kPendingRestore, kActive},
    {kPendingRestore, kStopped},
    {kPendingRestore, kFailed},
};

}  // namespace

std::string_view name(MirrorState state) { return name_in(kNames, state); }
std::optional<MirrorState> parse_mirror_state(std::string_view text) { return value_in(kNames, text); }
bool may_follow(MirrorState from, MirrorState to) { return edge_in(kEdges, from, to); }
bool pumps(MirrorState state) { return state == kActive || state == kSourceUnavailable || state == kPendingStopped; }
bool is_end(MirrorState state) { return state == kPendingStopped || state == kStopped; }
bool may_be_stored(MirrorState state) { return state != kPending; }

}  // namespace farshore
