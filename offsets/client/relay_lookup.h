// RelayLookup: RelayMap behind a thread of its own, for callers that block; and whether a target is a Farshore cluster
// (its mirrors have equal offsets) or any other Kafka (relay links). All calls from any thread; they wait for each
// other. No Asio here.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "offsets/client/api.h"

namespace farshore::client {

class RelayLookup {
 public:
  enum class Direction { kToTarget, kToSource };
  struct Question {
    std::string link, topic;  // link empty: whichever has the topic
    int32_t partition = 0;
    int64_t offset = 0;
    Direction direction = Direction::kToTarget;
    bool below_is_first = false;  // as RelayMap
  };
  struct Answer {
    Problem problem;
    std::string topic;
    int64_t offset = -1, limit = -1;
    bool exact = true, ended = false;
  };

  // Null, and `problem` is set: kInvalid (an address). Connects to nothing yet.
  static std::unique_ptr<RelayLookup> open(const std::string& target, Problem& problem);
  ~RelayLookup();  // waits for the thread

  // kUnavailable, kFailed.
  Problem is_farshore(bool& farshore, std::chrono::milliseconds timeout);
  Answer ask(Question question, std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit RelayLookup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
