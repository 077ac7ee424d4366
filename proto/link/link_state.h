// The state of a link, and the only table of which state may follow which.
//
//            +-----------------------------+
//            v                             |
//   ----> ACTIVE <----> PAUSED             | the source answers again
//            |  ^          |               |
//            |  +----------|---------------+
//            +--------> UNAVAILABLE <------+   the source has not answered for a while
//            |             |
//            +----> FAILED <               another cluster is at the source's address, a newer gateway has the link, or
//                                          the definition cannot work
//
// The names are those of Confluent's cluster linking metrics (active, paused, unavailable). A FAILED link leaves the
// state when an operator repairs it and resumes or pauses it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace farshore {

enum class LinkState : uint8_t { kActive, kPaused, kUnavailable, kFailed };
inline constexpr std::array kLinkStates{LinkState::kActive, LinkState::kPaused, LinkState::kUnavailable,
                                        LinkState::kFailed};

std::string_view name(LinkState state);  // ACTIVE, PAUSED, ...: in stored links and in the control API
std::optional<LinkState> parse_link_state(std::string_view text);
bool may_follow(LinkState from, LinkState to);  // true also if `from` is `to`

}  // namespace farshore
