#include "proto/link/link_state.h"

#include "proto/link/internal/state_tables.h"

namespace farshore {
namespace {

using enum LinkState;

constexpr std::pair<LinkState, std::string_view> kNames[] = {
    {kActive, "ACTIVE"}, {kPaused, "PAUSED"}, {kUnavailable, "UNAVAILABLE"}, {kFailed, "FAILED"}};

constexpr std::pair<LinkState, LinkState> kEdges[] = {
    {kActive, kPaused}, {kPaused, kActive},      {kActive, kUnavailable}, {kUnavailable, kActive}, {kActive, kFailed},
    {kPaused, kFailed}, {kUnavailable, kPaused}, {kUnavailable, kFailed}, {kFailed, kActive},      {kFailed, kPaused},
};

}  // namespace

std::string_view name(LinkState state) { return name_in(kNames, state); }
std::optional<LinkState> parse_link_state(std::string_view text) { return value_in(kNames, text); }
bool may_follow(LinkState from, LinkState to) { return edge_in(kEdges, from, to); }

}  // namespace farshore
