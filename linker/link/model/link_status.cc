#include "linker/link/model/link_status.h"

#include <algorithm>

#include "base/plant.h"

namespace farshore::linker {
namespace {

LogLevel link_log_level(LinkState state) {
  if (state == LinkState::kFailed) return LogLevel::kError;
  return state == LinkState::kUnavailable ? LogLevel::kWarn : LogLevel::kInfo;
}

}  // namespace

LinkStatus::LinkStatus(Env& env, std::string link, LinkState state, std::string reason)
    : env_(env),
      link_(std::move(link)),
      state_(state),
      reason_(std::move(reason)),
      since_ms_(env.wall_now().milliseconds_since_epoch),
      begun_(env.now()) {}

void LinkStatus::set(LinkState state, std::string reason) {
  if (state_ == state && reason_ == reason) return;
  if (fenced_ || !may_follow(state_, state)) return;
  env_.log().write(link_log_level(state), "link",
                   {{"link", link_}, {"from", name(state_)}, {"to", name(state)}, {"reason", reason}});
  state_ = state;
  reason_ = std::move(reason);
  since_ms_ = env_.wall_now().milliseconds_since_epoch;
}

void LinkStatus::fence(std::string reason) {
  if (fenced_ || planted(env_, Plant::kIgnoreFence)) return;
  env_.log().error("this gateway does nothing more for a link", {{"link", link_}, {"reason", reason}});
  set(LinkState::kFailed, std::move(reason));
  fenced_ = true;
}

Status LinkStatus::check_ours() const {
  if (!fenced_) return ok();
  return Error(ErrorCode::kFenced, "link " + link_ + ": " + reason_ +
                                       ": this gateway does nothing more for it; give the command to the gateway that "
                                       "has it, or restart this one to take it back");
}

void LinkStatus::source_answered(MonoTime at) {
  last_source_contact_ = std::max(last_source_contact_.value_or(at), at);
}

void LinkStatus::target_answered(MonoTime at) {
  last_target_contact_ = std::max(last_target_contact_.value_or(at), at);
}

}  // namespace farshore::linker
