#include "base/event.h"

namespace farshore {
namespace {

Task<Status> already_set() { co_return ok(); }

}  // namespace

void Notifier::notify() {
  auto waiting = std::exchange(waiting_, {});
  for (auto& wait : waiting) wait.complete(ok());
}

void Notifier::close() {
  closed_ = true;
  auto waiting = std::exchange(waiting_, {});
  for (auto& wait : waiting) wait.complete(Error(ErrorCode::kClosed));
}

Task<Status> Notifier::wait(Deadline deadline) {
  Wait<void> wait(reactor_);
  if (closed_) wait.complete(Error(ErrorCode::kClosed));
  std::erase_if(waiting_, [](const Wait<void>& w) { return w.done(); });  // those that timed out
  waiting_.push_back(wait);
  return wait.wait(deadline);
}

void Notifier::add(const Wait<void>& wait) {
  if (closed_) return wait.complete(Error(ErrorCode::kClosed));
  std::erase_if(waiting_, [](const Wait<void>& w) { return w.done(); });
  waiting_.push_back(wait);
}

void Event::set() {
  set_ = true;
  notifier_.notify();
}

Task<Status> Event::wait(Deadline deadline) {
  if (set_) return already_set();
  return notifier_.wait(deadline);
}

}  // namespace farshore
