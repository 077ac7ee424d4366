// The state of a link, and the only table of what may follow what.
//
//            +-----------------------------+
//            v                             |
//   ----> ACTIVE <----> PAUSED             | the source answers again
//            |  ^          |               |
//            |  +----------|---------------+
//            +--------> UNAVAILABLE <------+   the source has not answered for `unavailable_after`
//            |             |
//            +----> FAILED <               another cluster behind the address, a newer gateway, a broken definition
//
// Words as in Confluent's metrics (active, paused, unavailable); FAILED ends only by `link resume` after a repair.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace farshore::linker {

enum class LinkState : uint8_t { kActive, kPaused, kUnavailable, kFailed };
inline constexpr std::array kLinkStates{LinkState::kActive, LinkState::kPaused, LinkState::kUnavailable,
                                        LinkState::kFailed};

std::string_view name(LinkState state);  // ACTIVE, PAUSED, ...
std::optional<LinkState> parse_link_state(std::string_view text);
bool may_follow(LinkState from, LinkState to);  // staying is always allowed

}  // namespace farshore::linker
