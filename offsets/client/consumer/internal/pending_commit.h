// PendingCommit: a commit that was sent, and whose answer is waited for without holding any lock. It keeps the
// librdkafka handle alive, so the member may be closed meanwhile.
#pragma once

#include <chrono>

#include "offsets/client/consumer/internal/rdkafka_handles.h"
#include "offsets/client/problem.h"

namespace farshore::client {

class PendingCommit {
 public:
  PendingCommit() = default;
  // Sends it. `handle` must not be null.
  PendingCommit(KafkaHandle handle, const Positions& positions);

  // kUnavailable: no answer within `timeout` (the commit may have been stored), or the group rebalances; kFailed. Once.
  Problem wait(std::chrono::milliseconds timeout);

 private:
  KafkaHandle handle_;  // destroyed after the queue
  KafkaQueue queue_;
  Problem refused_;
};

}  // namespace farshore::client
