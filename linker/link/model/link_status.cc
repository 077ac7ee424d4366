#include "linker/link/model/link_status.h"

#include <algorithm>

namespace farshore::linker {

LinkStatus::LinkStatus(Env& env, std::string link, LinkState state, std::string reason)
    : env_(env),
      link_(std::move(link)),
      state_(state),
      reason_(std::move(reason)),
      since_ms_(env.wall_now().milliseconds_since_epoch),
      last_source_contact_(env.now()) {}

void LinkStatus::set(LinkState state, std::string reason) {
  if (state_ == state && reason_ == reason) return;
  if (!may_follow(state_, state)) return;
  env_.log().info("link", {{"link", link_}, {"from", name(state_)}, {"to", name(state)}, {"reason", reason}});
  state_ = state;
  reason_ = std::move(reason);
  since_ms_ = env_.wall_now().milliseconds_since_epoch;
}

void LinkStatus::lost_to_another_gateway() { set(LinkState::kFailed, "another gateway has taken this link over"); }

void LinkStatus::source_answered(MonoTime at) { last_source_contact_ = std::max(last_source_contact_, at); }

}  // namespace farshore::linker
