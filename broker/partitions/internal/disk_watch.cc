#include "broker/partitions/internal/disk_watch.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

constexpr Duration kInterval = seconds(1);
// A disk that refused a write has room again from here on, whatever the reserve.
constexpr uint64_t kRoomBytesMin = 64 << 10;

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
    if (!state_->full) not_full_();
  }
}

Task<void> DiskWatch::look() {
  auto free = co_await env_.files().free_bytes(directory_);
  if (!free) co_return;  // not known: the appends will find out
  free_bytes_ = *free;
  if (state_->full && !told_) {  // a write found it out before this look
    told_ = true;
    env_.log().error("disk full: a write did not fit; clients' writes are refused",
                     {{"directory", directory_}, {"free_bytes", *free}, {"reserve_bytes", reserve_bytes_}});
  }
  const bool full = *free < (state_->full ? std::max(reserve_bytes_, kRoomBytesMin) : reserve_bytes_);
  if (full == state_->full) co_return;
  state_->full = told_ = full;
  if (full)
    env_.log().error("disk full: clients' writes are refused",
                     {{"directory", directory_}, {"free_bytes", *free}, {"reserve_bytes", reserve_bytes_}});
  else
    env_.log().info("disk has room again", {{"directory", directory_}, {"free_bytes", *free}});
}

}  // namespace farshore::broker
