#include "broker/groups/shard.h"

#include <utility>

#include "base/ensure.h"
#include "proto/batch/builder.h"
#include "proto/batch/records.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr size_t kLoadBytes = 4 << 20;         // of the log at a time
constexpr Duration kCommitRound = seconds(1);  // how often a write that is not committed yet looks whether we close

// What a client hears about an append that failed: retriable where somebody may repair it without us.
Code append_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNoSpace:
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnavailable:
    case ErrorCode::kResourceExhausted:
      return Code::kCoordinatorNotAvailable;
    case ErrorCode::kIo:
    case ErrorCode::kClosed:
    case ErrorCode::kFenced:
      return Code::kNotCoordinator;
    default:
      return Code::kUnknownServerError;
  }
}

bool log_is_gone(const Error& error) {
  return error == ErrorCode::kIo || error == ErrorCode::kClosed || error == ErrorCode::kFenced;
}

template <class T>
Reply<T> completed(Env& env, T value) {
  Reply<T> reply(env);
  reply.complete(std::move(value));
  return reply;
}

}  // namespace

GroupMetrics::GroupMetrics(MetricRegistry& registry)
    : commits(registry.counter("farshore_broker_group_commits_total", "Offsets committed by consumer groups.")),
      expired(
          registry.counter("farshore_broker_group_offsets_expired_total", "Committed offsets removed by retention.")),
      rebalances(registry.counter("farshore_broker_group_rebalances_total", "Rebalances begun.")),
      members_lost(registry.counter("farshore_broker_group_members_lost_total", "Members removed for their silence.")),
      batches(registry.counter("farshore_broker_group_batches_total", "Batches appended to __consumer_offsets.")),
      failures(registry.counter("farshore_broker_group_failures_total", "Failed appends and loads of group state.")),
      loading(
          registry.gauge("farshore_broker_group_partitions_loading_count", "Partitions of group state being read.")) {}

GroupShard::GroupShard(Env& env, SlabArena& arena, const GroupOptions& options, GroupMetrics& metrics,
                       int32_t partition)
    : env_(env), arena_(arena), options_(options), metrics_(metrics), partition_(partition), gate_(env) {}

GroupShard::~GroupShard() {
  for (auto& [id, entry] : groups_)
    if (entry->timer) env_.cancel(entry->timer);
}

Code GroupShard::status() const {
  switch (state_) {
    case State::kActive:
      return Code::kNone;
    case State::kNew:
    case State::kLoading:
      return Code::kCoordinatorLoadInProgress;
    case State::kFailed:
    case State::kClosed:
      return Code::kNotCoordinator;
  }
  return Code::kNotCoordinator;
}

GroupNow GroupShard::now() const {
  GroupNow now;
  now.mono = env_.now();
  now.wall = env_.wall_now();
  return now;
}

// --- groups ---

GroupShard::EntryPtr GroupShard::entry(const std::string& group) const {
  auto it = groups_.find(group);
  return it == groups_.end() ? nullptr : it->second;
}

GroupShard::EntryPtr GroupShard::make_entry(const std::string& group) {
  auto& slot = groups_[group];
  if (!slot) slot = std::make_shared<Entry>(Group(group, options_.group, env_.wall_now()));
  return slot;
}

void GroupShard::erase_entry(const std::string& group) {
  auto it = groups_.find(group);
  if (it == groups_.end()) return;
  if (it->second->timer) env_.cancel(std::exchange(it->second->timer, 0));
  groups_.erase(it);
}

const Group* GroupShard::group(const std::string& group) const {
  auto found = entry(group);
  return found ? &found->group : nullptr;
}

std::vector<const Group*> GroupShard::groups() const {
  std::vector<const Group*> out;
  for (const auto& [id, entry] : groups_) out.push_back(&entry->group);
  return out;
}

const GroupOffsets* GroupShard::offsets(const std::string& group) const {
  auto it = offsets_.find(group);
  return it == offsets_.end() ? nullptr : &it->second;
}

Reply<JoinAnswer> GroupShard::join(const std::string& group, JoinRequest request) {
  auto entry = this->entry(group);
  if (!entry) {
    if (!request.member_id.empty()) {  // of a group that is gone: it starts anew
      JoinAnswer answer;
      answer.error = Code::kUnknownMemberId;
      answer.member_id = request.member_id;
      return completed(env_, std::move(answer));
    }
    entry = make_entry(group);
  }
  const Ticket ticket = ++last_ticket_;
  Reply<JoinAnswer> reply(env_);
  joins_.emplace(ticket, reply);
  GroupEffects effects;
  entry->group.join(std::move(request), ticket, now(), effects);
  carry_out(entry, std::move(effects));
  return reply;
}

Reply<SyncAnswer> GroupShard::sync(const std::string& group, SyncRequest request) {
  auto entry = this->entry(group);
  if (!entry) {
    SyncAnswer answer;
    answer.error = Code::kUnknownMemberId;
    return completed(env_, std::move(answer));
  }
  const Ticket ticket = ++last_ticket_;
  Reply<SyncAnswer> reply(env_);
  syncs_.emplace(ticket, reply);
  GroupEffects effects;
  entry->group.sync(std::move(request), ticket, now(), effects);
  carry_out(entry, std::move(effects));
  return reply;
}

Code GroupShard::heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation) {
  auto entry = this->entry(group);
  if (!entry) return Code::kUnknownMemberId;
  const Code code = entry->group.heartbeat(member, generation, now());
  arm(entry);
  return code;
}

std::vector<Code> GroupShard::leave(const std::string& group, const std::vector<MemberIdentity>& members) {
  auto entry = this->entry(group);
  if (!entry) return std::vector<Code>(members.size(), Code::kUnknownMemberId);
  GroupEffects effects;
  auto codes = entry->group.leave(members, now(), effects);
  carry_out(entry, std::move(effects));
  return codes;
}

void GroupShard::carry_out(const EntryPtr& entry, GroupEffects effects) {
  for (const auto& note : effects.notes) {
    const bool rebalance = note.what == GroupEffects::Note::What::kRebalance;
    if (rebalance) metrics_.rebalances.add();
    if (note.what == GroupEffects::Note::What::kMemberLost) metrics_.members_lost.add();
    env_.log().info(rebalance ? "group rebalances" : "group member gone",
                    {{"group", entry->group.id()}, {"generation", entry->group.generation()}, {"why", note.text}});
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
    record.group = entry->group.id();
    record.value = std::move(write.value);
    Operation operation;
    operation.records.push_back(std::move(record));
    operation.done = [this, entry, token = write.token](Code error) {
      if (error == Code::kMessageTooLarge || error == Code::kInvalidRequest) error = Code::kUnknownServerError;
      GroupEffects next;
      entry->group.written(token, error, now(), next);
      carry_out(entry, std::move(next));
    };
    enqueue(std::move(operation));
  }
  arm(entry);
}

void GroupShard::arm(const EntryPtr& entry) {
  const MonoTime at = entry->group.next_deadline();
  if (at >= entry->timer_at || this->entry(entry->group.id()) != entry) return;
  if (entry->timer) env_.cancel(entry->timer);
  entry->timer_at = at;
  std::weak_ptr<Entry> weak = entry;
  entry->timer = env_.arm(at, [this, weak] {
    if (auto alive = weak.lock()) on_timer(alive);
  });
}

void GroupShard::on_timer(const EntryPtr& entry) {
  entry->timer = 0;
  entry->timer_at = MonoTime::max();
  GroupEffects effects;
  entry->group.expire(now(), effects);
  carry_out(entry, std::move(effects));
}

// --- offsets ---

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

// --- the log ---

void GroupShard::enqueue(Operation operation) {
  Code refused = state_ == State::kActive ? Code::kNone : Code::kNotCoordinator;
  if (refused == Code::kNone && !operation.build) refused = encode(operation, options_.batch_bytes_max);
  if (refused != Code::kNone) return operation.done(refused);
  queue_.push_back(std::move(operation));
  if (writing_) return;
  writing_ = spawn(gate_, "group writes", write_loop());
  if (!writing_) drop_queue(Code::kNotCoordinator);
}

Code GroupShard::encode(Operation& operation, size_t batch_bytes_max) {
  for (const auto& record : operation.records) {
    auto encoded = encode_record(record);
    if (!encoded) return Code::kInvalidRequest;
    operation.bytes += encoded->size_bytes();
    operation.encoded.push_back(std::move(*encoded));
  }
  if (!operation.build && operation.bytes > batch_bytes_max) return Code::kMessageTooLarge;
  return Code::kNone;
}

Task<void> GroupShard::write_loop() {
  while (!queue_.empty() && state_ == State::kActive) {
    if (queue_.front().build)
      co_await write_built();
    else
      co_await write_plain();
  }
  writing_ = false;
  if (state_ != State::kActive) drop_queue(Code::kNotCoordinator);
}

// All operations that wait now, as one batch.
Task<Code> GroupShard::write_plain() {
  std::vector<Operation> operations;
  std::vector<EncodedRecord> encoded;
  size_t bytes = 0;
  while (!queue_.empty() && !queue_.front().build) {
    auto& next = queue_.front();
    if (!operations.empty() && bytes + next.bytes > options_.batch_bytes_max) break;
    bytes += next.bytes;
    for (auto& record : next.encoded) encoded.push_back(std::move(record));
    operations.push_back(std::move(next));
    queue_.pop_front();
  }
  const Code error = co_await append(encoded, 0, encoded.size());
  for (auto& operation : operations) {
    if (error == Code::kNone)
      for (const auto& record : operation.records) apply(record);
    operation.done(error);
  }
  co_return error;
}

Task<Code> GroupShard::write_built() {
  Operation operation = std::move(queue_.front());
  queue_.pop_front();
  operation.records = operation.build();
  Code error = encode(operation, options_.batch_bytes_max);
  for (size_t begin = 0; begin < operation.encoded.size() && error == Code::kNone;) {
    size_t end = begin, bytes = 0;
    while (end < operation.encoded.size() && (end == begin || bytes < options_.batch_bytes_max / 2))
      bytes += operation.encoded[end++].size_bytes();
    error = co_await append(operation.encoded, begin, end);
    for (; begin < end && error == Code::kNone; ++begin) apply(operation.records[begin]);
  }
  operation.done(error);
  co_return error;
}

// Records [begin, end) as one batch. kNone: committed.
Task<Code> GroupShard::append(const std::vector<EncodedRecord>& records, size_t begin, size_t end) {
  BatchBuilder builder;
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (size_t i = begin; i < end; ++i)
    builder.add(now_ms, records[i].key,
                records[i].value ? std::optional<std::string_view>(*records[i].value) : std::nullopt);
  auto appended = co_await log_->append(builder.build_run(arena_));
  if (!appended) {
    metrics_.failures.add();
    env_.log().error("group state could not be written", {{"partition", partition_}, {"error", appended.error()}});
    const Code code = append_code(appended.error());
    if (log_is_gone(appended.error())) fail(appended.error());
    co_return code;
  }
  metrics_.batches.add();
  for (;;) {
    auto committed = co_await log_->wait_committed(*appended, env_.in(kCommitRound));
    if (committed) co_return Code::kNone;
    if (state_ != State::kActive) co_return Code::kNotCoordinator;
    // The log has it: until it is known whether that stays so, nothing after it may be claimed.
    if (committed.error() == ErrorCode::kTimedOut) continue;
    metrics_.failures.add();
    fail(committed.error());
    co_return Code::kNotCoordinator;
  }
}

// The fold: the one place where committed state changes, while loading and afterwards.
void GroupShard::apply(const CoordinatorRecord& record) {
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) {
    if (!offset->value) {
      auto it = offsets_.find(offset->group);
      if (it == offsets_.end()) return;
      it->second.apply(offset->partition, std::nullopt);
      if (it->second.empty()) offsets_.erase(it);
      return;
    }
    offsets_[offset->group].apply(offset->partition, offset->value);
    if (state_ == State::kActive) make_entry(offset->group);  // a group of offsets only
    return;
  }
  const auto* group = std::get_if<GroupRecord>(&record);
  if (!group) return;
  if (state_ == State::kLoading) {
    if (group->value)
      loaded_[group->group] = *group->value;
    else
      loaded_.erase(group->group);
    return;
  }
  // The live group wrote it and is told by written(). A tombstone ends the group that was being deleted.
  if (group->value) return;
  auto entry = this->entry(group->group);
  if (entry && entry->group.state() == GroupState::kDead) erase_entry(group->group);
}

void GroupShard::drop_queue(Code error) {
  while (!queue_.empty()) {
    auto operation = std::move(queue_.front());
    queue_.pop_front();
    operation.done(error);
  }
}

void GroupShard::end_groups(Code error) {
  auto groups = groups_;
  for (auto& [id, entry] : groups) {
    if (entry->timer) env_.cancel(std::exchange(entry->timer, 0));
    entry->timer_at = MonoTime::max();
    GroupEffects effects;
    entry->group.close(error, effects);
    carry_out(entry, std::move(effects));
  }
}

void GroupShard::fail(const Error& error) {
  if (state_ != State::kActive) return;
  env_.log().error("a partition of group state is gone: its groups are not served",
                   {{"partition", partition_}, {"error", error}});
  state_ = State::kFailed;
  end_groups(Code::kNotCoordinator);
}

void GroupShard::give_up(const Error& error) {
  if (!may_load()) return;
  metrics_.failures.add();
  env_.log().warn("a partition of group state cannot be opened", {{"partition", partition_}, {"error", error}});
  state_ = State::kFailed;
}

Task<void> GroupShard::close() {
  if (state_ == State::kActive) {
    state_ = State::kClosed;
    end_groups(Code::kNotCoordinator);
  }
  state_ = State::kClosed;
  co_await gate_.close();
  drop_queue(Code::kNotCoordinator);
}

// --- loading ---

Task<Status> GroupShard::load(std::shared_ptr<CoordinatorLog> log) {
  ensure(may_load() && !writing_, "a shard is loaded once, or after it failed");
  if (!gate_.enter()) co_return Error(ErrorCode::kClosed);
  state_ = State::kLoading;
  groups_.clear();
  offsets_.clear();
  loaded_.clear();
  metrics_.loading.add(1);
  auto folded = co_await fold(*log);
  metrics_.loading.add(-1);
  gate_.leave();
  if (state_ != State::kLoading) co_return Error(ErrorCode::kClosed);
  if (!folded) {
    metrics_.failures.add();
    state_ = State::kFailed;
    co_return std::move(folded).error().in("group state of partition " + std::to_string(partition_));
  }
  log_ = std::move(log);
  finish_load();
  co_return ok();
}

Task<Status> GroupShard::fold(CoordinatorLog& log) {
  const LogEnds ends = log.ends();
  Offset at = ends.log_start;
  while (at < ends.end && state_ == State::kLoading) {
    CO_TRY(BatchRun run, co_await log.read(at, kLoadBytes));
    if (run.empty()) break;  // compacted to the end
    CO_CHECK(fold_run(run, at));
    at = run.next();
  }
  // What a crash may still take back is not served.
  while (ends.end > ends.log_start && state_ == State::kLoading) {
    auto committed = co_await log.wait_committed(ends.end - 1, env_.in(kCommitRound));
    if (committed) break;
    if (!(committed.error() == ErrorCode::kTimedOut)) co_return std::move(committed).error();
  }
  co_return ok();
}

Status GroupShard::fold_run(const BatchRun& run, Offset from) {
  size_t begin = 0;
  for (const auto& header : run.batches) {
    const size_t size = header.size_bytes();
    if (!header.control() && header.next() > from) {
      if (header.transactional())
        return Error(ErrorCode::kUnsupported,
                     "offset " + std::to_string(header.base_offset) +
                         ": group state written in a transaction, which this broker cannot read");
      FARSHORE_TRY(auto reader, RecordReader::open(header, run.bytes, begin));
      Record record;
      for (;;) {
        FARSHORE_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (!record.key)
          return Error(ErrorCode::kCorrupt, "offset " + std::to_string(record.offset.value()) + " has no key");
        auto decoded = decode_record(*record.key, record.value);
        if (!decoded) return std::move(decoded).error().in("offset " + std::to_string(record.offset.value()));
        apply(*decoded);
      }
    }
    begin += size;
  }
  return ok();
}

void GroupShard::finish_load() {
  state_ = State::kActive;
  for (const auto& [id, offsets] : offsets_) make_entry(id);
  auto loaded = std::move(loaded_);
  loaded_.clear();
  size_t members = 0;
  for (const auto& [id, value] : loaded) {
    auto entry = make_entry(id);
    GroupEffects effects;
    entry->group.restore(value, now(), effects);
    members += value.members.size();
    carry_out(entry, std::move(effects));
  }
  if (!groups_.empty())
    env_.log().info("loaded groups", {{"partition", partition_}, {"groups", groups_.size()}, {"members", members}});
  auto forgotten = std::move(forgotten_topics_);
  forgotten_topics_.clear();
  for (const auto& topic : forgotten) forget_topic(topic);
}

}  // namespace farshore::broker
