#include "broker/partitions/internal/disk_watch.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

constexpr Duration kInterval = seconds(1);
// A disk that refused a write has room again if so much more is free, or more if the write was larger.
constexpr uint64_t kRoomBytesMin = 64 << 10;
// From a refused write to the next trial. It doubles with each refusal, until none comes for kCalm.
constexpr Duration kTrialPauseMin = seconds(1), kTrialPauseMax = seconds(30);
constexpr Duration kCalm = minutes(2);

}  // namespace

DiskWatch::DiskWatch(Env& env, std::string directory, uint64_t reserve_bytes, std::function<void()> not_full)
    : env_(env),
      directory_(std::move(directory)),
      reserve_bytes_(reserve_bytes),
      not_full_(std::move(not_full)),
      state_(std::make_shared<DiskState>()),
      stopping_(env),
      gate_(env) {}

void DiskWatch::start() { spawn(gate_, "disk watch", loop()); }

Task<void> DiskWatch::stop() {
  stopping_.set();
  co_await gate_.close();
}

Task<void> DiskWatch::loop() {
  for (;;) {
    auto stopped = co_await stopping_.wait(env_.in(kInterval));
    if (stopped) co_return;
    co_await look();
    if (!state_->full || state_->trial) not_full_();
  }
}

Task<void> DiskWatch::look() {
  auto free = co_await env_.files().free_bytes(directory_);
  if (!free) co_return;  // not known: the appends will find out
  const uint64_t before = std::exchange(free_bytes_, *free);
  if (state_->full && !told_) {  // a write found it out before this look
    told_ = true;
    env_.log().error("disk full: a write did not fit; clients' writes are refused",
                     {{"directory", directory_}, {"free_bytes", *free}, {"reserve_bytes", reserve_bytes_}});
  }
  note_refusals(std::min(before, *free));
  const bool refuses = refuses_writes();
  const bool full = refuses || *free < reserve_bytes_;
  if (full == state_->full) co_return;
  state_->full = told_ = full;
  if (full)
    env_.log().error("disk full: clients' writes are refused",
                     {{"directory", directory_}, {"free_bytes", *free}, {"reserve_bytes", reserve_bytes_}});
  else
    env_.log().info("disk has room again", {{"directory", directory_}, {"free_bytes", *free}});
}

// `free_then`: when the write was refused, as far as it is known.
void DiskWatch::note_refusals(uint64_t free_then) {
  if (state_->refused == refused_) return;
  refused_ = state_->refused;
  const MonoTime now = env_.now();
  const bool calm = !refused_at_ || now - *refused_at_ > kCalm;
  pause_ = calm ? kTrialPauseMin : std::min(2 * pause_, kTrialPauseMax);
  refused_at_ = now;
  room_bytes_ = free_then + std::max(std::exchange(state_->refused_bytes, 0), kRoomBytesMin);
  state_->trial = state_->fits = false;
}

// Since a write was refused there is not surely more room, and no trial was written.
bool DiskWatch::refuses_writes() {
  if (!room_bytes_) return false;
  if (state_->fits || free_bytes_ >= *room_bytes_) {
    room_bytes_.reset();
    state_->trial = state_->fits = false;
    return false;
  }
  if (free_bytes_ < reserve_bytes_)
    state_->trial = false;
  else if (env_.now() - *refused_at_ >= pause_)
    state_->trial = true;
  return true;
}

}  // namespace farshore::broker
