// Committed offsets of a shard: commits, deletions, expiry.
#include <utility>

#include "broker/groups/shard.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

Reply<Code> GroupShard::commit(Commit commit) {
  if (auto entry = this->entry(commit.group)) {
    const Code code = entry->group.check_commit(commit.member, commit.generation, now());
    arm(entry);
    if (code != Code::kNone) return completed(env_, code);
  } else if (commit.generation >= 0) {
    return completed(env_, commit.if_group_missing);
  }
  if (commit.offsets.empty()) return completed(env_, Code::kNone);
  Operation operation;
  for (auto& [partition, value] : commit.offsets) {
    OffsetRecord record;
    record.group = commit.group;
    record.partition = std::move(partition);
    record.value = std::move(value);
    operation.records.push_back(std::move(record));
  }
  Reply<Code> reply(env_);
  operation.done = [this, reply, count = commit.offsets.size()](Code error) {
    if (error == Code::kNone) metrics_.commits.add(count);
    // As Kafka: what is too large for one batch is the client's mistake.
    reply.complete(error == Code::kMessageTooLarge ? Code::kInvalidCommitOffsetSize : error);
  };
  enqueue(std::move(operation));
  return reply;
}

GroupShard::Records GroupShard::tombstones(const std::string& group,
                                           const std::vector<TopicPartition>& partitions) const {
  Records records;
  records.reserve(partitions.size());
  for (const auto& partition : partitions) {
    OffsetRecord record;
    record.group = group;
    record.partition = partition;
    records.push_back(std::move(record));
  }
  return records;
}

Reply<Code> GroupShard::delete_group(const std::string& group) {
  Reply<Code> reply(env_);
  struct Deletion {
    Code refused = Code::kNone;
    EntryPtr entry;
  };
  auto deletion = std::make_shared<Deletion>();
  Operation operation;
  operation.build = [this, group, deletion]() -> Records {
    auto entry = this->entry(group);
    if (!entry || entry->group.state() == GroupState::kDead) {
      deletion->refused = Code::kGroupIdNotFound;
      return {};
    }
    if (entry->group.state() != GroupState::kEmpty) {
      deletion->refused = Code::kNonEmptyGroup;
      return {};
    }
    entry->group.begin_delete();
    deletion->entry = entry;
    const GroupOffsets* held = offsets(group);
    Records records = held ? tombstones(group, held->all()) : Records();
    GroupRecord record;
    record.group = group;
    records.push_back(std::move(record));
    return records;
  };
  operation.done = [this, reply, deletion](Code error) {
    if (error != Code::kNone && deletion->entry && state_ == State::kActive)
      deletion->entry->group.cancel_delete(env_.wall_now());
    reply.complete(deletion->refused != Code::kNone ? deletion->refused : error);
  };
  enqueue(std::move(operation));
  return reply;
}

Reply<GroupShard::OffsetDelete> GroupShard::delete_offsets(const std::string& group,
                                                           std::vector<TopicPartition> partitions) {
  Reply<OffsetDelete> reply(env_);
  auto answer = std::make_shared<OffsetDelete>();
  Operation operation;
  operation.build = [this, group, partitions = std::move(partitions), answer]() -> Records {
    auto entry = this->entry(group);
    if (!entry || entry->group.state() == GroupState::kDead) {
      answer->error = Code::kGroupIdNotFound;
      return {};
    }
    if (entry->group.state() != GroupState::kEmpty && !entry->group.uses_consumer_protocol()) {
      answer->error = Code::kNonEmptyGroup;
      return {};
    }
    const GroupOffsets* held = offsets(group);
    std::vector<TopicPartition> removed;
    for (const auto& partition : partitions) {
      const bool in_use = entry->group.state() != GroupState::kEmpty && entry->group.subscribed_to(partition.topic);
      answer->partitions[partition] = in_use ? Code::kGroupSubscribedToTopic : Code::kNone;
      if (!in_use && held && held->find(partition.topic, partition.partition)) removed.push_back(partition);
    }
    return tombstones(group, removed);
  };
  operation.done = [reply, answer](Code error) {
    if (answer->error == Code::kNone) answer->error = error;
    reply.complete(std::move(*answer));
  };
  enqueue(std::move(operation));
  return reply;
}

void GroupShard::forget_topic(const std::string& topic) {
  if (state_ == State::kNew || state_ == State::kLoading) forgotten_topics_.insert(topic);
  if (state_ != State::kActive) return;
  Operation operation;
  operation.build = [this, topic]() -> Records {
    Records records;
    for (const auto& [group, offsets] : offsets_) {
      auto at = offsets.topics().find(topic);
      if (at == offsets.topics().end()) continue;
      std::vector<TopicPartition> partitions;
      for (const auto& each : at->second) {
        TopicPartition partition;
        partition.topic = topic;
        partition.partition = each.first;
        partitions.push_back(std::move(partition));
      }
      auto more = tombstones(group, partitions);
      records.insert(records.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    return records;
  };
  operation.done = [this, topic](Code error) {
    if (error != Code::kNone)
      env_.log().warn("offsets of a deleted topic stay until they expire",
                      {{"topic", topic}, {"partition", partition_}});
  };
  enqueue(std::move(operation));
}

void GroupShard::expire_offsets() {
  if (state_ != State::kActive) return;
  for (const auto& [id, entry] : groups_) expire_group(entry);
}

void GroupShard::expire_group(const EntryPtr& entry) {
  struct Expiry {
    bool deleted = false;
    size_t count = 0;
  };
  auto expired_offsets = [this, entry] {
    std::vector<TopicPartition> out;
    const GroupOffsets* held = offsets(entry->group.id());
    if (!held) return out;
    const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
    const int64_t retention_ms = std::chrono::duration_cast<milliseconds>(options_.offsets_retention).count();
    for (const auto& [topic, partitions] : held->topics()) {
      if (entry->group.state() != GroupState::kEmpty && entry->group.subscribed_to(topic)) continue;
      for (const auto& [index, offset] : partitions) {
        auto unused = entry->group.unused_since(offset.commit_ms);
        if (!unused || !offset_expired(offset, *unused, retention_ms, now_ms)) continue;
        TopicPartition partition;
        partition.topic = topic;
        partition.partition = index;
        out.push_back(std::move(partition));
      }
    }
    return out;
  };
  // Looked at here, so that a group with nothing to do costs no operation; decided again when its turn has come.
  const GroupOffsets* held = offsets(entry->group.id());
  const bool nothing_held = !held || held->empty();
  if (expired_offsets().empty() && !(nothing_held && entry->group.vacant())) return;
  auto expiry = std::make_shared<Expiry>();
  Operation operation;
  operation.build = [this, entry, expired_offsets, expiry]() -> Records {
    if (this->entry(entry->group.id()) != entry || entry->group.state() == GroupState::kDead) return {};
    auto expired = expired_offsets();
    const GroupOffsets* offsets = this->offsets(entry->group.id());
    expiry->count = expired.size();
    Records records = tombstones(entry->group.id(), expired);
    if (entry->group.vacant() && expired.size() == (offsets ? offsets->size() : 0)) {
      entry->group.begin_delete();
      expiry->deleted = true;
      GroupRecord record;
      record.group = entry->group.id();
      records.push_back(std::move(record));
    }
    return records;
  };
  operation.done = [this, entry, expiry](Code error) {
    if (error == Code::kNone) metrics_.expired.add(expiry->count);
    if (error != Code::kNone && expiry->deleted && state_ == State::kActive)
      entry->group.cancel_delete(env_.wall_now());
  };
  enqueue(std::move(operation));
}

}  // namespace farshore::broker
