#include "base/real/internal/file_syncs.h"

#include <algorithm>
#include <utility>

#include "base/real/disk.h"

namespace farshore {
namespace {

constexpr int kMeanOf = 8;  // the moving mean follows a change within so many syncs

}  // namespace

Task<Status> FileSyncs::sync(std::shared_ptr<SyncedFile> file) {
  auto self = shared_from_this();
  for (;;) {
    Wait<Turn> mine(reactor_);
    const bool proved = file->proved == errors_;
    (proved ? waiting_ : unproved_).push_back(mine);
    give_turns();
    CO_TRY(const Turn turn, co_await mine.wait(Deadline::never()));
    if (turn == Turn::kDurable) co_return ok();
    if (turn == Turn::kAlone) co_return co_await alone(file, proved);
    if (turn == Turn::kAgain) continue;
    auto led = co_await lead();
    if (led || led.error() == ErrorCode::kClosed) co_return led;
  }
}

void FileSyncs::give_turns() {
  for (; !unproved_.empty() && alone_unproved_ < kThreads; ++alone_unproved_) pass_turn(unproved_, Turn::kAlone);
  if (group_) return;
  const bool shared = group_allowed();
  if (shared && waiting_.size() >= kGroupMin) {
    group_ = true;
    pass_turn(waiting_, Turn::kLead);
    return;
  }
  const size_t most = shared ? kAloneMax : kThreads;
  for (; !waiting_.empty() && alone_proved_ < most; ++alone_proved_) pass_turn(waiting_, Turn::kAlone);
}

void FileSyncs::pass_turn(Waiting& waiting, Turn turn) {
  Wait<Turn> next = std::move(waiting.front());
  waiting.pop_front();
  next.complete(turn);
}

Task<Status> FileSyncs::alone(std::shared_ptr<SyncedFile> file, bool proved) {
  const uint64_t errors = errors_;
  const MonoTime begin = reactor_.now();
  auto job = [fd = file->fd, path = file->path, call = calls_.one]() -> Status {
    const int failure = call(fd->number);
    if (failure != 0) return file_error(failure, "syncing " + path);
    return ok();
  };
  auto synced = co_await pool_.run(std::move(job));
  --(proved ? alone_proved_ : alone_unproved_);
  const Duration took = reactor_.now() - begin;
  alone_time_ = alone_time_ == Duration::zero() ? took : alone_time_ + (took - alone_time_) / kMeanOf;
  if (synced) file->proved = errors;  // what came meanwhile may be this file's
  give_turns();
  co_return synced;
}

Task<Status> FileSyncs::lead() {
  Waiting served = std::exchange(waiting_, {});
  const MonoTime begin = reactor_.now();
  auto job = [fd = file_system_, call = calls_.all]() -> Status {
    const int failure = call(fd->number);
    if (failure != 0) return file_error(failure, "syncing the file system");
    return ok();
  };
  auto synced = co_await pool_.run(std::move(job));
  group_ = false;
  if (synced) {
    judge_group(served.size() + 1, reactor_.now() - begin);
  } else {
    ++errors_;  // nobody who waits is proved any more
    group_again_at_ = reactor_.now() + kGroupPause;
    while (!waiting_.empty()) pass_turn(waiting_, Turn::kAgain);
  }
  while (!served.empty()) pass_turn(served, synced ? Turn::kDurable : Turn::kAgain);
  give_turns();
  co_return synced;
}

void FileSyncs::judge_group(size_t files, Duration took) {
  const auto one_by_one = alone_time_ * static_cast<int64_t>((files + kThreads - 1) / kThreads);
  if (took > kGroupShort && took > 2 * one_by_one) group_again_at_ = reactor_.now() + kGroupPause;
}

}  // namespace farshore
