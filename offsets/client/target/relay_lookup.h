// RelayLookup: translates offsets of relay links for callers that block. It runs a RelayMap on a thread of its own. It
// also tells whether a target is a Farshore cluster (mirrors, with equal offsets) or another Kafka (relay links).
// Threads: any; calls wait for each other.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "offsets/client/api.h"
#include "offsets/client/target/relay_question.h"

namespace farshore::client {

class RelayLookup {
 public:
  struct Answer {
    Problem problem;      // the other fields are set if this is kNone; `limit` and `ended` with kOutOfRange, too
    std::string topic;    // its name at the other cluster
    int64_t offset = -1;  // at the other cluster
    int64_t limit = -1;   // the highest offset that translates now, in the numbering of the question
    bool exact = true;    // false: the other cluster has no such record; `offset` is the next one
    bool ended = false;   // promoted or failed over: `limit` is final
  };

  // Null, and `problem` is set: kInvalid (an address). Connects to nothing yet.
  static std::unique_ptr<RelayLookup> open(const std::string& target, Problem& problem);
  ~RelayLookup();  // waits for the thread

  // kUnavailable: no answer within `timeout`; kFailed.
  Problem is_farshore(bool& farshore, std::chrono::milliseconds timeout);
  Answer ask(RelayQuestion question, std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit RelayLookup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
