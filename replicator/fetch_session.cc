#include "replicator/fetch_session.h"

#include <limits>
#include <utility>

namespace farshore::replicator {

void FetchSession::reset() {
  id_ = epoch_ = 0;
  size_ = 0;
  anew_ = false;
  forgotten_.clear();
}

void FetchSession::ask(kafka::FetchRequest& request, const Partition& partition, Member& member,
                       const FetchPosition& next, bool by_name, size_t bytes_max) {
  const bool known = member.in_session && member.asked && member.asked->offset == next.offset &&
                     member.asked->last_fetched_epoch == next.last_fetched_epoch;
  member.asked = next;
  if (known && !fresh()) return;
  if (!member.in_session) {
    member.in_session = true;
    ++size_;
    remember(partition.key);
  }
  const TopicId& id = partition.key.source_topic.value();
  const std::string& topic_name = by_name ? partition.topic : std::string();
  if (request.topics.empty() || request.topics.back().topic_id != id || request.topics.back().topic != topic_name) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.topic = topic_name;
  }
  auto& asked = request.topics.back().partitions.emplace_back();
  asked.partition = partition.key.partition.value();
  asked.current_leader_epoch = partition.leader_epoch.value();
  asked.fetch_offset = next.offset.value();
  asked.last_fetched_epoch = next.last_fetched_epoch.value();
  asked.partition_max_bytes = static_cast<int32_t>(bytes_max);
}

void FetchSession::rejoins(const LinkPartition& key) {
  auto topic = forgotten_.find(key.source_topic.value());
  if (topic != forgotten_.end() && topic->second.partitions.count(key.partition.value()) > 0) anew_ = true;
}

void FetchSession::leave(const Partition& partition, Member& member) {
  member.asked.reset();
  if (!member.in_session) return;
  member.in_session = false;
  --size_;
  forget(partition);
}

void FetchSession::forget(const Partition& partition) {
  Forgotten& topic = forgotten_[partition.key.source_topic.value()];
  topic.topic = partition.topic;
  topic.partitions.insert(partition.key.partition.value());
}

// A partition that was removed and added again is asked for, and so is not forgotten.
void FetchSession::remember(const LinkPartition& key) {
  auto topic = forgotten_.find(key.source_topic.value());
  if (topic != forgotten_.end()) topic->second.partitions.erase(key.partition.value());
}

void FetchSession::finish(kafka::FetchRequest& request) {
  for (auto& [id, left] : forgotten_) {
    if (fresh() || left.partitions.empty()) continue;
    auto& topic = request.forgotten_topics_data.emplace_back();
    topic.topic_id = id;
    topic.topic = std::move(left.topic);
    topic.partitions.assign(left.partitions.begin(), left.partitions.end());
  }
  forgotten_.clear();
  request.session_id = id_;
  request.session_epoch = epoch_;
}

bool FetchSession::answered(int32_t session_id) {
  if (session_id == 0) return false;
  id_ = session_id;
  epoch_ = epoch_ == std::numeric_limits<int32_t>::max() ? 1 : epoch_ + 1;
  return true;
}

}  // namespace farshore::replicator
