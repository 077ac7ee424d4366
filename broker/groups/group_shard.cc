#include "broker/groups/group_shard.h"

#include <utility>

#include "base/ensure.h"
#include "broker/groups/internal/group_table.h"
#include "broker/groups/internal/offset_store.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

CoordinatorRuntimeOptions runtime_options(const GroupOptions& options) {
  CoordinatorRuntimeOptions runtime;
  runtime.batch_bytes_max = options.batch_bytes_max;
  return runtime;
}

CoordinatorRuntime::Counters runtime_counters(GroupMetrics& metrics) {
  CoordinatorRuntime::Counters counters;
  counters.batches = &metrics.batches;
  counters.failures = &metrics.failures;
  counters.loading = &metrics.loading;
  return counters;
}

Result<CoordinatorRuntime::Records> encode(const std::vector<CoordinatorRecord>& records) {
  CoordinatorRuntime::Records encoded;
  encoded.reserve(records.size());
  for (const auto& record : records) {
    FARSHORE_TRY(auto one, encode_record(record));
    encoded.push_back(std::move(one));
  }
  return encoded;
}

}  // namespace

GroupShard::GroupShard(Env& env, SlabArena& arena, const GroupOptions& options, GroupMetrics& metrics,
                       std::shared_ptr<Budget> members_memory, int32_t partition)
    : env_(env),
      options_(options),
      metrics_(metrics),
      members_memory_(std::move(members_memory)),
      groups_(std::make_unique<GroupTable>(env, options.group, [this](const LiveGroupPtr& live) { expire(live); })),
      offsets_(std::make_unique<OffsetStore>()),
      runtime_(env, arena, *this, "group state", partition, runtime_options(options), runtime_counters(metrics)) {}

GroupShard::~GroupShard() = default;

GroupNow GroupShard::now() const {
  GroupNow now;
  now.mono = env_.now();
  now.wall = env_.wall_now();
  return now;
}

// --- the log

void GroupShard::write(const Records& records, Done done) {
  if (!runtime_.serving()) return done(Code::kNotCoordinator);
  auto encoded = encode(records);
  if (!encoded) return done(Code::kInvalidRequest);
  CoordinatorRuntime::Change change;
  change.records = std::move(*encoded);
  change.done = std::move(done);
  runtime_.submit(std::move(change));
}

void GroupShard::write_later(std::function<Records()> build, Done done) {
  CoordinatorRuntime::Change change;
  change.build = [build = std::move(build)] { return encode(build()); };
  change.done = std::move(done);
  runtime_.submit(std::move(change));
}

void GroupShard::clear() {
  groups_->clear();
  offsets_->clear();
  loaded_.clear();
}

Status GroupShard::replay(std::string_view key, std::optional<std::string_view> value) {
  FARSHORE_TRY(auto record, decode_record(key, value));
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) {
    offsets_->apply(*offset);
    if (offset->value && runtime_.serving()) groups_->make(offset->group);  // a group of offsets only
  } else if (const auto* group = std::get_if<GroupRecord>(&record)) {
    replay_group(*group);
  }
  return ok();
}

void GroupShard::replay_group(const GroupRecord& record) {
  if (runtime_.loading()) {
    if (record.value)
      loaded_[record.group] = *record.value;
    else
      loaded_.erase(record.group);
    return;
  }
  // The live group wrote it, and written() informs it. A tombstone ends the group that was being deleted.
  if (record.value) return;
  auto live = groups_->find(record.group);
  if (live && live->group.state() == GroupState::kDead) groups_->erase(record.group);
}

void GroupShard::loaded() {
  for (const auto& [id, offsets] : offsets_->groups()) groups_->make(id);
  auto loaded = std::exchange(loaded_, {});
  size_t members = 0;
  for (const auto& [id, value] : loaded) {
    auto live = groups_->make(id);
    GroupEffects effects;
    live->group.restore(value, now(), effects);
    live->group.hold_members(members_memory_);
    members += value.members.size();
    carry_out(live, std::move(effects));
  }
  if (groups_->size() > 0)
    env_.log().info("loaded groups",
                    {{"partition", runtime_.partition()}, {"groups", groups_->size()}, {"members", members}});
  for (const auto& topic : std::exchange(forgotten_topics_, {})) forget_topic(topic);
}

void GroupShard::lost(Code error) {
  for (const auto& live : groups_->all()) {
    groups_->disarm(*live);
    GroupEffects effects;
    live->group.close(error, effects);
    carry_out(live, std::move(effects));
  }
}

// --- groups

const Group* GroupShard::group(const std::string& group) const {
  auto found = groups_->find(group);
  return found ? &found->group : nullptr;
}

std::vector<const Group*> GroupShard::groups() const {
  std::vector<const Group*> out;
  out.reserve(groups_->size());
  for (const auto& live : groups_->all()) out.push_back(&live->group);
  return out;
}

const GroupOffsets* GroupShard::offsets(const std::string& group) const { return offsets_->find(group); }

Reply<JoinAnswer> GroupShard::join(const std::string& group, JoinRequest request) {
  auto live = groups_->find(group);
  if (!live) {
    if (!request.member_id.empty()) {  // of a group that is gone: it starts anew
      JoinAnswer answer;
      answer.error = Code::kUnknownMemberId;
      answer.member_id = request.member_id;
      return completed(env_, std::move(answer));
    }
    live = groups_->make(group);
  }
  const Ticket ticket = ++last_ticket_;
  Reply<JoinAnswer> reply(env_);
  joins_.emplace(ticket, reply);
  GroupEffects effects;
  live->group.join(std::move(request), ticket, now(), effects);
  carry_out(live, std::move(effects));
  return reply;
}

Reply<SyncAnswer> GroupShard::sync(const std::string& group, SyncRequest request) {
  auto live = groups_->find(group);
  if (!live) {
    SyncAnswer answer;
    answer.error = Code::kUnknownMemberId;
    return completed(env_, std::move(answer));
  }
  const Ticket ticket = ++last_ticket_;
  Reply<SyncAnswer> reply(env_);
  syncs_.emplace(ticket, reply);
  GroupEffects effects;
  live->group.sync(std::move(request), ticket, now(), effects);
  carry_out(live, std::move(effects));
  return reply;
}

Code GroupShard::heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation) {
  auto live = groups_->find(group);
  if (!live) return Code::kUnknownMemberId;
  const Code code = live->group.heartbeat(member, generation, now());
  groups_->arm(live);
  return code;
}

std::vector<Code> GroupShard::leave(const std::string& group, const std::vector<MemberIdentity>& members) {
  auto live = groups_->find(group);
  if (!live) return std::vector<Code>(members.size(), Code::kUnknownMemberId);
  GroupEffects effects;
  auto codes = live->group.leave(members, now(), effects);
  carry_out(live, std::move(effects));
  return codes;
}

void GroupShard::carry_out(const LiveGroupPtr& live, GroupEffects effects) {
  for (const auto& note : effects.notes) {
    const bool rebalance = note.what == GroupEffects::Note::What::kRebalance;
    if (rebalance) metrics_.rebalances.add();
    if (note.what == GroupEffects::Note::What::kMemberLost) metrics_.members_lost.add();
    env_.log().info(rebalance ? "group rebalances" : "group member gone",
                    {{"group", live->group.id()}, {"generation", live->group.generation()}, {"why", note.text}});
  }
  for (auto& [ticket, answer] : effects.joins) {
    auto node = joins_.extract(ticket);
    ensure(!node.empty(), "a join is answered once");
    node.mapped().complete(std::move(answer));
  }
  for (auto& [ticket, answer] : effects.syncs) {
    auto node = syncs_.extract(ticket);
    ensure(!node.empty(), "a sync is answered once");
    node.mapped().complete(std::move(answer));
  }
  for (auto& write : effects.writes) {
    GroupRecord record;
    record.group = live->group.id();
    record.value = std::move(write.value);
    Records records;
    records.push_back(std::move(record));
    this->write(records, [this, live, token = write.token](Code error) {
      if (error == Code::kMessageTooLarge || error == Code::kInvalidRequest) error = Code::kUnknownServerError;
      GroupEffects next;
      live->group.written(token, error, now(), next);
      carry_out(live, std::move(next));
    });
  }
  groups_->arm(live);
}

void GroupShard::expire(const LiveGroupPtr& live) {
  GroupEffects effects;
  live->group.expire(now(), effects);
  carry_out(live, std::move(effects));
}

// --- committed offsets

Reply<Code> GroupShard::commit(Commit commit) {
  if (auto live = groups_->find(commit.group)) {
    const Code code = live->group.check_commit(commit.member, commit.generation, now());
    groups_->arm(live);
    if (code != Code::kNone) return completed(env_, code);
  } else if (commit.generation >= 0) {
    return completed(env_, commit.if_group_missing);
  }
  if (commit.offsets.empty()) return completed(env_, Code::kNone);
  Records records;
  for (auto& [partition, value] : commit.offsets) {
    OffsetRecord record;
    record.group = commit.group;
    record.partition = std::move(partition);
    record.value = std::move(value);
    records.push_back(std::move(record));
  }
  Reply<Code> reply(env_);
  write(records, [this, reply, count = commit.offsets.size()](Code error) {
    if (error == Code::kNone) metrics_.commits.add(count);
    // As Kafka: what is too large for one batch is the client's mistake.
    reply.complete(error == Code::kMessageTooLarge ? Code::kInvalidCommitOffsetSize : error);
  });
  return reply;
}

Reply<Code> GroupShard::delete_group(const std::string& group) {
  struct Deletion {
    Code refused = Code::kNone;
    LiveGroupPtr live;
  };
  Reply<Code> reply(env_);
  auto deletion = std::make_shared<Deletion>();
  auto build = [this, group, deletion]() -> Records {
    auto live = groups_->find(group);
    if (!live || live->group.state() == GroupState::kDead) {
      deletion->refused = Code::kGroupIdNotFound;
      return {};
    }
    if (live->group.state() != GroupState::kEmpty) {
      deletion->refused = Code::kNonEmptyGroup;
      return {};
    }
    live->group.begin_delete();
    deletion->live = live;
    const GroupOffsets* held = offsets(group);
    Records records = held ? offset_tombstones(group, held->all()) : Records();
    GroupRecord record;
    record.group = group;
    records.push_back(std::move(record));
    return records;
  };
  write_later(std::move(build), [this, reply, deletion](Code error) {
    if (error != Code::kNone && deletion->live && runtime_.serving())
      deletion->live->group.cancel_delete(env_.wall_now());
    reply.complete(deletion->refused != Code::kNone ? deletion->refused : error);
  });
  return reply;
}

Reply<GroupShard::OffsetDelete> GroupShard::delete_offsets(const std::string& group,
                                                           std::vector<TopicPartition> partitions) {
  Reply<OffsetDelete> reply(env_);
  auto answer = std::make_shared<OffsetDelete>();
  auto build = [this, group, partitions = std::move(partitions), answer]() -> Records {
    auto live = groups_->find(group);
    if (!live || live->group.state() == GroupState::kDead) {
      answer->error = Code::kGroupIdNotFound;
      return {};
    }
    if (live->group.state() != GroupState::kEmpty && !live->group.uses_consumer_protocol()) {
      answer->error = Code::kNonEmptyGroup;
      return {};
    }
    const GroupOffsets* held = offsets(group);
    std::vector<TopicPartition> removed;
    for (const auto& partition : partitions) {
      const bool in_use = live->group.state() != GroupState::kEmpty && live->group.subscribed_to(partition.topic);
      answer->partitions[partition] = in_use ? Code::kGroupSubscribedToTopic : Code::kNone;
      if (!in_use && held && held->find(partition.topic, partition.partition)) removed.push_back(partition);
    }
    return offset_tombstones(group, removed);
  };
  write_later(std::move(build), [reply, answer](Code error) {
    if (answer->error == Code::kNone) answer->error = error;
    reply.complete(std::move(*answer));
  });
  return reply;
}

void GroupShard::forget_topic(const std::string& topic) {
  if (runtime_.loading()) forgotten_topics_.insert(topic);
  if (!runtime_.serving()) return;
  write_later([this, topic] { return offsets_->topic_tombstones(topic); },
              [this, topic](Code error) {
                if (error != Code::kNone)
                  env_.log().warn("offsets of a deleted topic stay until they expire",
                                  {{"topic", topic}, {"partition", runtime_.partition()}});
              });
}

// --- expiry

void GroupShard::expire_offsets() {
  if (!runtime_.serving()) return;
  for (const auto& live : groups_->all()) expire_group(live);
}

std::vector<TopicPartition> GroupShard::expired_offsets(const Group& group) const {
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  const int64_t retention_ms = std::chrono::duration_cast<milliseconds>(options_.offsets_retention).count();
  return offsets_->select(group.id(), [&](const std::string& topic, const CommittedOffset& offset) {
    if (group.state() != GroupState::kEmpty && group.subscribed_to(topic)) return false;
    auto unused = group.unused_since(offset.commit_ms);
    return unused && offset_expired(offset, *unused, retention_ms, now_ms);
  });
}

void GroupShard::expire_group(const LiveGroupPtr& live) {
  struct Expiry {
    bool deleted = false;
    size_t count = 0;
  };
  // Looked at here, so that a group with nothing to do costs no write; decided again when its turn has come.
  const GroupOffsets* held = offsets(live->group.id());
  const bool nothing_held = !held || held->empty();
  if (expired_offsets(live->group).empty() && !(nothing_held && live->group.vacant())) return;
  auto expiry = std::make_shared<Expiry>();
  auto build = [this, live, expiry]() -> Records {
    const std::string& group = live->group.id();
    if (groups_->find(group) != live || live->group.state() == GroupState::kDead) return {};
    auto expired = expired_offsets(live->group);
    const GroupOffsets* offsets = this->offsets(group);
    expiry->count = expired.size();
    Records records = offset_tombstones(group, expired);
    if (live->group.vacant() && expired.size() == (offsets ? offsets->size() : 0)) {
      live->group.begin_delete();
      expiry->deleted = true;
      GroupRecord record;
      record.group = group;
      records.push_back(std::move(record));
    }
    return records;
  };
  write_later(std::move(build), [this, live, expiry](Code error) {
    if (error == Code::kNone) metrics_.expired.add(expiry->count);
    if (error != Code::kNone && expiry->deleted && runtime_.serving()) live->group.cancel_delete(env_.wall_now());
  });
}

}  // namespace farshore::broker
