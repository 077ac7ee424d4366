// PlaceFinder: the offsets at the target at which each partition continues after a failover, and up to which the
// application has committed it. On a mirror they are the same offsets. On a relay link it asks the link's translation,
// for all partitions in one question.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offsets/client/consumer/internal/continuation.h"
#include "offsets/client/consumer/internal/rdkafka_handles.h"
#include "offsets/client/target/target_lookup.h"

namespace farshore::client {

struct Place {
  Continuation next;       // in offsets of the source
  int64_t at_target = -1;  // the same position in offsets of the target
  std::optional<int64_t>
      commit_at;  // at the target, of min(committed, failover offset); nullopt: nothing was committed
};
using Places = std::map<PartitionKey, Place>;  // by the topic's name at the source

class PlaceFinder {
 public:
  // A topic of the source is called prefix + name at the target.
  PlaceFinder(ClusterAddress target, std::string prefix);

  // Adds a place for each position of `delivered` whose topic is in `view`, and whose partition's end is known. All
  // places are found, or the call fails: a guess would skip or repeat records. What was read of the translation before
  // a timeout is kept for the next call. kUnavailable: the target did not answer within `timeout`; otherwise the
  // problems of TargetLookup::ask().
  Problem find(const TargetView& view, const Positions& delivered, const Positions& committed, Places& places,
               std::chrono::milliseconds timeout);

 private:
  struct Question {
    RelayQuestion question;
    int64_t end_at_target;  // where the partition ended
    int64_t* answer;
  };
  void place(const TopicAtTarget& topic, const PartitionKey& key, const Continuation& next, int64_t* answer);
  Problem ask_link(std::chrono::milliseconds timeout);

  const ClusterAddress target_;
  const std::string prefix_;
  std::vector<Question> questions_;       // of the call under way
  std::unique_ptr<TargetLookup> lookup_;  // opened for the first question about a relay link
};

}  // namespace farshore::client
