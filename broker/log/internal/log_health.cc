#include "broker/log/internal/log_health.h"

namespace farshore {

Status LogHealth::alive() const {
  if (death_) return *death_;
  return ok();
}

Status LogHealth::usable() const {
  if (death_) return *death_;
  if (closed_) return Error(ErrorCode::kClosed, directory_);
  return ok();
}

Error LogHealth::die(Error error) {
  if (!death_) {
    death_ = Error(ErrorCode::kIo, directory_ + " is offline: " + error.to_string());
    env_.log().error("a log is offline after a disk error", {{"directory", directory_}, {"error", error}});
  }
  if (hook_) hook_();
  return *death_;
}

}  // namespace farshore
