#include "replicator/sink_lane.h"

#include <algorithm>

namespace farshore::replicator {

SinkLane::SinkLane(Env& env, kafka::ClusterClient& target, int32_t broker, const SinkLaneOptions& options,
                   SinkLaneOwner& owner, Gate& gate)
    : env_(env), target_(target), broker_(broker), options_(options), owner_(owner), gate_(gate), wake_(env) {}

void SinkLane::queue(const LinkPartition& key) {
  queue_.push_back(key);
  wake_.notify();
}

std::optional<LinkPartition> SinkLane::next_queued() {
  if (queue_.empty()) return std::nullopt;
  const LinkPartition key = queue_.front();
  queue_.pop_front();
  return key;
}

void SinkLane::disconnect() {
  if (client_) client_->close();
}

void SinkLane::stop() {
  stopping_ = true;
  disconnect();
  wake_.close();
}

Task<void> SinkLane::run() {
  while (!stopping_) {
    if (broken() && in_flight_ == 0) {  // requests under way fail first
      client_.reset();
      lost_ = true;
      owner_.lane_lost(*this);
    }
    if (broken() || !owner_.lane_may_send(*this)) {
      co_await wait();
      continue;
    }
    if (!client_) {
      auto connected = co_await connect();
      if (stopping_) break;
      if (!connected) fail_queued(connected.error());
      continue;  // what was queued may be gone
    }
    owner_.lane_send(*this);
  }
  disconnect();
}

Task<void> SinkLane::wait() {
  const bool idle = client_ && in_flight_ == 0;
  const Deadline until = idle ? env_.in(options_.idle_after) : Deadline::never();
  auto woken = co_await wake_.wait(until);
  const bool timed_out = !woken && woken.error().code == ErrorCode::kTimedOut;
  if (timed_out && !stopping_ && client_ && client_->usable() && in_flight_ == 0) owner_.lane_idle(*this);
}

Task<Status> SinkLane::connect() {
  if (lost_) {
    CO_CHECK(co_await owner_.lane_reopens(*this));
    lost_ = false;
  }
  CO_TRY(client_, co_await target_.open(broker_, env_.in(options_.timeout)));
  round_trip_ = std::max(round_trip_, client_->round_trip());
  co_return ok();
}

void SinkLane::fail_queued(const Error& error) {
  for (const LinkPartition& key : take_queue()) owner_.lane_unreachable(*this, key, error);
}

SinkLanes::SinkLanes(Env& env, kafka::ClusterClient& target, SinkLaneOptions options, SinkLaneOwner& owner)
    : env_(env), target_(target), options_(options), owner_(owner), gate_(env) {}

SinkLane& SinkLanes::to(int32_t broker) {
  auto& lane = lanes_[broker];
  if (!lane) {
    lane = std::make_unique<SinkLane>(env_, target_, broker, options_, owner_, gate_);
    spawn(gate_, options_.name, lane->run());
  }
  return *lane;
}

size_t SinkLanes::requests_in_flight() const {
  size_t count = 0;
  for (const auto& [broker, lane] : lanes_) count += lane->in_flight();
  return count;
}

Duration SinkLanes::round_trip() const {
  Duration longest{};
  for (const auto& [broker, lane] : lanes_) longest = std::max(longest, lane->round_trip());
  return longest;
}

Task<void> SinkLanes::stop() {
  for (auto& [broker, lane] : lanes_) lane->stop();
  co_await gate_.close();
}

}  // namespace farshore::replicator
