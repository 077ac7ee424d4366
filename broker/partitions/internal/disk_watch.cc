#include "broker/partitions/internal/disk_watch.h"

#include <utility>

namespace farshore::broker {
namespace {

constexpr Duration kInterval = seconds(1);

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
  const bool full = *free < reserve_bytes_;
  if (full == state_->full) co_return;
  state_->full = full;
  if (full)
    env_.log().error("disk full: clients' writes are refused",
                     {{"directory", directory_}, {"free_bytes", *free}, {"reserve_bytes", reserve_bytes_}});
  else
    env_.log().info("disk has room again", {{"directory", directory_}, {"free_bytes", *free}});
}

}  // namespace farshore::broker
