// A shard and its log: changes are appended, committed and folded; loading folds what is there.
#include <utility>

#include "base/ensure.h"
#include "broker/groups/shard.h"
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

}  // namespace

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
