// Producer: a client that keeps writing, and records in a History which batches it sent and which were acknowledged. A
// plain producer never sends a batch twice. An idempotent one repeats each batch until it is answered.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "broker/testing/test_client.h"
#include "tests/simulation/history.h"

namespace farshore::simulation {

class Producer {
 public:
  // `may_lose` may become true later. While it is false, a refused sequence number is a violation.
  Producer(Env& env, Endpoint to, bool idempotent, History& history, const bool& may_lose)
      : env_(env), to_(std::move(to)), idempotent_(idempotent), history_(history), may_lose_(may_lose) {}

  Task<void> run();  // until stop()
  void stop() { stop_ = true; }
  bool stopped() const { return stopped_; }

 private:
  struct Batch {
    int32_t partition = 0, records = 0;
    uint32_t crc = 0;
    std::vector<std::byte> bytes;
  };
  Task<Status> connect();
  Task<Status> make_topic();
  Task<Status> take_producer_id();
  Task<Status> send();
  void draw();
  void forget_producer_id();

  Env& env_;
  const Endpoint to_;
  const bool idempotent_;
  History& history_;
  const bool& may_lose_;
  std::unique_ptr<broker::TestClient> client_;
  std::unique_ptr<Batch> pending_;
  int64_t producer_id_ = -1;
  int16_t producer_epoch_ = -1;
  std::map<int32_t, int32_t> next_sequence_;
  uint64_t drawn_ = 0;
  bool topic_made_ = false, stop_ = false, stopped_ = false;
};

}  // namespace farshore::simulation
