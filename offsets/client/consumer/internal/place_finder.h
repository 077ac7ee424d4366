// PlaceFinder: the offset at the target at which each partition continues after a failover. On a mirror it is the same
// offset. On a relay link it asks the link's translation.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "offsets/client/consumer/internal/continuation.h"
#include "offsets/client/consumer/internal/group_member.h"
#include "offsets/client/target/relay_lookup.h"

namespace farshore::client {

struct Place {
  Continuation next;       // in offsets of the source
  int64_t at_target = -1;  // the same position in offsets of the target
};
using Places = std::map<PartitionKey, Place>;  // by the topic's name at the source

class PlaceFinder {
 public:
  // A topic of the source is called prefix + name at the target.
  PlaceFinder(std::string target, std::string prefix);

  // Adds a place for each position of `delivered` whose topic is in `view`. All places are found, or the call fails: a
  // guess would skip or repeat records. What was read of the translation before a timeout is kept for the next call.
  // kUnavailable: the target did not answer within `timeout`; otherwise the problems of RelayLookup::ask().
  Problem find(const TargetView& view, const Positions& delivered, Places& places, std::chrono::milliseconds timeout);

 private:
  Problem ask_link(const TopicAtTarget& topic, const PartitionKey& key, std::chrono::milliseconds timeout,
                   Place& place);

  const std::string target_, prefix_;
  std::unique_ptr<RelayLookup> relays_;  // opened for the first question about a relay link
};

}  // namespace farshore::client
