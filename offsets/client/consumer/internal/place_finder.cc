#include "offsets/client/consumer/internal/place_finder.h"

#include <algorithm>
#include <utility>

namespace farshore::client {
namespace {

using Clock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

}  // namespace

PlaceFinder::PlaceFinder(std::string target, std::string prefix)
    : target_(std::move(target)), prefix_(std::move(prefix)) {}

Problem PlaceFinder::find(const TargetView& view, const Positions& delivered, Places& places, Millis timeout) {
  const Clock::time_point until = Clock::now() + timeout;
  for (const auto& [key, position] : delivered) {
    auto topic = view.topics.find(prefix_ + key.first);
    if (topic == view.topics.end()) continue;  // not a topic of this consumer
    Place& place = places[key];
    place.next = continuation(topic->second, key.second, position);
    if (auto known = place_at_target(topic->second, key.second, place.next)) {
      place.at_target = *known;
      continue;
    }
    const auto left = std::chrono::duration_cast<Millis>(until - Clock::now());
    if (auto problem = ask_link(topic->second, key, std::max(left, Millis(1)), place)) return problem;
  }
  return {};
}

Problem PlaceFinder::ask_link(const TopicAtTarget& topic, const PartitionKey& key, Millis timeout, Place& place) {
  Problem problem;
  if (!relays_) relays_ = RelayLookup::open(target_, problem);
  if (!relays_) return problem;
  RelayQuestion question;
  question.link = topic.relay_link;
  question.topic = key.first;
  question.partition = key.second;
  question.offset = place.next.continued_at;
  question.below_is_first = true;
  auto answer = relays_->ask(question, timeout);
  place.at_target = answer.offset;
  if (answer.problem.kind == Problem::Kind::kOutOfRange && answer.limit >= 0 && question.offset > answer.limit) {
    // The position is between the last relayed record and the partition's end, where there is no relayed record.
    place.at_target = *topic.partitions.at(key.second).failover_target_offset;
    return {};
  }
  if (answer.problem)
    answer.problem.text = "cannot go on at the target yet: " + key.first + "[" + std::to_string(key.second) +
                          "] at offset " + std::to_string(question.offset) + ": " + answer.problem.text;
  return answer.problem;
}

}  // namespace farshore::client
