#include "linker/link/model/link_ownership.h"

namespace farshore::linker {

Task<Status> LinkOwnership::check(Deadline deadline) {
  if (status_.is_deleted()) co_return status_.check_ours();
  const MonoTime asked = env_.now();
  if (!status_.fenced() && confirmed_ != MonoTime() && asked - confirmed_ < kFresh) co_return ok();
  auto ours = co_await definition_.stored_if_ours(deadline);
  if (ours && !status_.fenced()) {
    confirmed_ = asked;
    co_return ok();
  }
  if (!ours && ours.error() == ErrorCode::kNotFound) {
    status_.deleted(ours.error().detail);
    co_return status_.check_ours();
  }
  if (status_.fenced()) co_return status_.check_ours();  // for good, but it may have been deleted since
  if (ours.error() != ErrorCode::kConflict && ours.error() != ErrorCode::kFenced) co_return std::move(ours).error();
  status_.fence(ours.error().detail.empty() ? ours.error().to_string() : ours.error().detail);
  co_return status_.check_ours();
}

}  // namespace farshore::linker
