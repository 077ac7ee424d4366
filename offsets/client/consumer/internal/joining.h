// Joining: brings a member into its group. It opens the member, commits what a move carries, and subscribes. A step
// that fails is repeated each second until it succeeds, so no failure needs a new consumer. Threads: one at a time.
#pragma once

#include <chrono>
#include <memory>

#include "offsets/client/consumer/failover_consumer.h"
#include "offsets/client/consumer/internal/group_member.h"

namespace farshore::client {

class Joining {
 public:
  using Millis = std::chrono::milliseconds;  // of std::chrono::steady_clock
  Joining(GroupMember::Options options, FailoverConsumer::Event event);

  // The member, once it has joined; null: not yet. `problem` is set if a step failed now. May take 5 s.
  std::unique_ptr<GroupMember> step(Millis now, Problem& problem);
  // The event that tells about it. Only after step() returned the member.
  FailoverConsumer::Event take_event() { return std::move(event_); }

  // The application commits everything that was delivered before the move: it is carried, too. kUnavailable.
  Problem commit_delivered();

 private:
  void carry();

  GroupMember::Options options_;
  FailoverConsumer::Event event_;
  std::unique_ptr<GroupMember> member_;
  bool carried_ = false;
  Millis again_at_{0};
};

}  // namespace farshore::client
