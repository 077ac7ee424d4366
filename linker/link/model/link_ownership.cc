#include "linker/link/model/link_ownership.h"

namespace farshore::linker {
namespace {

bool tells_of_a_loss(const Error& error) {
  return error == ErrorCode::kNotFound || error == ErrorCode::kConflict || error == ErrorCode::kFenced;
}

}  // namespace

Task<Status> LinkOwnership::check(Deadline deadline) {
  if (!status_.fenced() && confirmed_ != MonoTime() && env_.now() - confirmed_ < kFresh) co_return ok();
  co_return co_await doubt(deadline);
}

Task<Status> LinkOwnership::doubt(Deadline deadline) {
  if (status_.is_deleted()) co_return status_.check_ours();
  const MonoTime asked = env_.now();
  auto ours = co_await definition_.stored_if_ours(deadline);
  if (!ours && tells_of_a_loss(ours.error())) {
    auto right = co_await check_target_(deadline);
    if (!right) co_return Error(ErrorCode::kUnavailable, right.error().to_string());
    ours = co_await definition_.stored_if_ours(deadline);  // of that target
  }
  if (!ours && !tells_of_a_loss(ours.error()) && !status_.fenced()) co_return std::move(ours).error();
  if (!ours && ours.error() == ErrorCode::kNotFound)
    status_.deleted(ours.error().detail);
  else if (!ours && !status_.fenced() && tells_of_a_loss(ours.error()))
    status_.fence(ours.error().detail.empty() ? ours.error().to_string() : ours.error().detail);
  if (ours && !status_.fenced()) confirmed_ = asked;
  co_return status_.check_ours();  // fenced is for good
}

}  // namespace farshore::linker
