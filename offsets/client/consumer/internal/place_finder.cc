#include "offsets/client/consumer/internal/place_finder.h"

#include <utility>

namespace farshore::client {

PlaceFinder::PlaceFinder(ClusterAddress target, std::string prefix)
    : target_(std::move(target)), prefix_(std::move(prefix)) {}

Problem PlaceFinder::find(const TargetView& view, const Positions& delivered, const Positions& committed,
                          Places& places, std::chrono::milliseconds timeout) {
  questions_.clear();
  for (const auto& [key, position] : delivered) {
    auto topic = view.topics.find(prefix_ + key.first);
    if (topic == view.topics.end()) continue;         // not a topic of this consumer
    if (topic->second.is_open(key.second)) continue;  // where it ended is not known: it goes on at the group's commit
    Place& found = places[key];
    found.next = continuation(topic->second, key.second, position);
    place(topic->second, key, found.next, &found.at_target);
    auto stored = committed.find(key);
    if (stored == committed.end()) continue;
    found.commit_at = -1;
    place(topic->second, key, continuation(topic->second, key.second, stored->second), &*found.commit_at);
  }
  return questions_.empty() ? Problem() : ask_link(timeout);
}

void PlaceFinder::place(const TopicAtTarget& topic, const PartitionKey& key, const Continuation& next,
                        int64_t* answer) {
  if (auto known = place_at_target(topic, key.second, next)) {
    *answer = *known;
    return;
  }
  RelayQuestion question;
  question.link = topic.relay_link;
  question.topic = key.first;
  question.partition = key.second;
  question.offset = next.continued_at;
  question.below_is_first = true;
  questions_.push_back({std::move(question), *topic.partitions.at(key.second).failover_target_offset, answer});
}

Problem PlaceFinder::ask_link(std::chrono::milliseconds timeout) {
  Problem problem;
  if (!lookup_) lookup_ = TargetLookup::open(target_, problem);
  if (!lookup_) return problem;
  std::vector<RelayQuestion> asked;
  for (const auto& each : questions_) asked.push_back(each.question);
  auto answers = lookup_->ask(asked, timeout);
  for (size_t i = 0; i < questions_.size(); ++i) {
    const RelayQuestion& question = questions_[i].question;
    auto& answer = answers[i];
    if (answer.problem.kind == Problem::Kind::kOutOfRange && answer.limit >= 0 && question.offset > answer.limit) {
      // The position is between the last relayed record and the partition's end, where there is no relayed record.
      *questions_[i].answer = questions_[i].end_at_target;
      continue;
    }
    if (answer.problem) {
      answer.problem.text = "cannot go on at the target yet: " + question.topic + "[" +
                            std::to_string(question.partition) + "] at offset " + std::to_string(question.offset) +
                            ": " + answer.problem.text;
      return std::move(answer.problem);
    }
    *questions_[i].answer = answer.offset;
  }
  return {};
}

}  // namespace farshore::client
