// TargetLookup: questions to a target cluster, for callers that block: what its mirrors say, the translation of offsets
// of relay links, and which of the two it has. It runs on a thread of its own.
// Threads: any. Calls run side by side: a long one does not hold up a short one, unless both need the same part of a
// translation. No call blocks longer than its timeout.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "offsets/client/problem.h"
#include "offsets/client/target/cluster_address.h"
#include "offsets/client/target/relay_question.h"
#include "offsets/client/target/target_view.h"

namespace farshore::client {

class TargetLookup {
 public:
  static constexpr size_t kCallsMax = 256;  // at the same time

  struct Answer {
    Problem problem;      // the other fields are set if this is kNone; `limit` and `ended` with kOutOfRange, too
    std::string topic;    // its name at the other cluster
    int64_t offset = -1;  // at the other cluster
    int64_t limit = -1;   // the highest offset that translates now, in the numbering of the question
    bool exact = true;    // false: the other cluster has no such record; `offset` is the next one
    bool ended = false;   // promoted or failed over: `limit` is final
  };

  // Null, and `problem` is set: kInvalid (an address, or properties that our connections cannot follow). Connects to
  // nothing yet.
  static std::unique_ptr<TargetLookup> open(const ClusterAddress& target, Problem& problem);
  ~TargetLookup();  // waits for the thread; no call is under way

  // True: a Farshore cluster (mirrors, with equal offsets). kUnavailable: no answer within `timeout`; kFailed.
  Problem is_farshore(bool& farshore, std::chrono::milliseconds timeout);
  // A mirror or relayed topic, by its name at the target. The same problems.
  Problem topic(const std::string& name, TopicAtTarget& topic, std::chrono::milliseconds timeout);
  // Translates offsets of relay links; one answer for each question. What was read of a translation before a timeout is
  // kept for the next call.
  std::vector<Answer> ask(std::vector<RelayQuestion> questions, std::chrono::milliseconds timeout);

 private:
  struct Known;
  class Impl;
  explicit TargetLookup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
