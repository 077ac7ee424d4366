#include <utility>

#include "linker/link_state.h"
#include "linker/mirror_state.h"

namespace farshore::linker {
namespace {

using L = LinkState;
using M = MirrorState;

constexpr std::pair<L, std::string_view> kLinkNames[] = {
    {L::kActive, "ACTIVE"}, {L::kPaused, "PAUSED"}, {L::kUnavailable, "UNAVAILABLE"}, {L::kFailed, "FAILED"}};

constexpr std::pair<L, L> kLinkEdges[] = {
    {L::kActive, L::kPaused},      {L::kPaused, L::kActive}, {L::kActive, L::kUnavailable},
    {L::kUnavailable, L::kActive}, {L::kActive, L::kFailed}, {L::kUnavailable, L::kFailed},
    {L::kUnavailable, L::kPaused}, {L::kPaused, L::kFailed}, {L::kFailed, L::kActive},
    {L::kFailed, L::kPaused},
};

constexpr std::pair<M, std::string_view> kMirrorNames[] = {
    {M::kPending, "PENDING"}, {M::kActive, "ACTIVE"},
    {M::kPaused, "PAUSED"},   {M::kSourceUnavailable, "SOURCE_UNAVAILABLE"},
    {M::kFailed, "FAILED"},   {M::kPendingStopped, "PENDING_STOPPED"},
    {M::kStopped, "STOPPED"}, {M::kPendingRestore, "PENDING_RESTORE"},
};

constexpr std::pair<M, M> kMirrorEdges[] = {
    {M::kPending, M::kActive},
    {M::kPending, M::kFailed},
    {M::kPending, M::kPaused},
    {M::kActive, M::kPaused},
    {M::kPaused, M::kActive},
    {M::kActive, M::kSourceUnavailable},
    {M::kSourceUnavailable, M::kActive},
    {M::kSourceUnavailable, M::kPaused},
    {M::kActive, M::kFailed},
    {M::kPaused, M::kFailed},
    {M::kSourceUnavailable, M::kFailed},
    {M::kFailed, M::kActive},
    {M::kFailed, M::kPaused},
    // promote
    {M::kActive, M::kPendingStopped},
    {M::kPendingStopped, M::kStopped},
    {M::kPendingStopped, M::kActive},
    {M::kPendingStopped, M::kFailed},
    // failover: at once, from wherever the mirror is
    {M::kActive, M::kStopped},
    {M::kPaused, M::kStopped},
    {M::kSourceUnavailable, M::kStopped},
    {M::kFailed, M::kStopped},
    // failback
    {M::kStopped, M::kPendingRestore},
    {M::kPendingRestore, M::kActive},
    {M::kPendingRestore, M::kStopped},
    {M::kPendingRestore, M::kFailed},
};

template <class State, size_t N>
std::string_view name_in(const std::pair<State, std::string_view> (&table)[N], State state) {
  for (const auto& [value, text] : table)
    if (value == state) return text;
  return "?";
}

template <class State, size_t N>
std::optional<State> parse_in(const std::pair<State, std::string_view> (&table)[N], std::string_view text) {
  for (const auto& [value, known] : table)
    if (known == text) return value;
  return std::nullopt;
}

template <class State, size_t N>
bool edge_in(const std::pair<State, State> (&table)[N], State from, State to) {
  if (from == to) return true;
  for (const auto& edge : table)
    if (edge == std::pair(from, to)) return true;
  return false;
}

}  // namespace

std::string_view name(LinkState state) { return name_in(kLinkNames, state); }
std::optional<LinkState> parse_link_state(std::string_view text) { return parse_in(kLinkNames, text); }
bool may_follow(LinkState from, LinkState to) { return edge_in(kLinkEdges, from, to); }

std::string_view name(MirrorState state) { return name_in(kMirrorNames, state); }
std::optional<MirrorState> parse_mirror_state(std::string_view text) { return parse_in(kMirrorNames, text); }
bool may_follow(MirrorState from, MirrorState to) { return edge_in(kMirrorEdges, from, to); }
bool pumps(MirrorState state) {
  return state == M::kActive || state == M::kSourceUnavailable || state == M::kPendingStopped;
}

}  // namespace farshore::linker
