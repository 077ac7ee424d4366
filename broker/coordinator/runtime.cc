#include "broker/coordinator/runtime.h"

#include <utility>

#include "base/ensure.h"
#include "base/turn_budget.h"
#include "proto/batch/builder.h"
#include "proto/batch/records.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr size_t kLoadBytes = 4 << 20;         // of the log at a time
constexpr Duration kCommitRound = seconds(1);  // after so long a wait for a commit looks whether we are closing
constexpr size_t kBuiltBytes = 1 << 10;        // what a change with `build` counts in the queue

// Retriable for the client where the cause may go away without a restart of this broker.
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

size_t size_bytes(const CoordinatorRuntime::Records& records) {
  size_t bytes = 0;
  for (const auto& record : records) bytes += record.size_bytes();
  return bytes;
}

size_t queued_bytes(const CoordinatorRuntime::Change& change) {
  return change.build ? kBuiltBytes : size_bytes(change.records);
}

std::optional<std::string_view> value_of(const EncodedRecord& record) {
  if (!record.value) return std::nullopt;
  return std::string_view(*record.value);
}

}  // namespace

CoordinatorRuntime::CoordinatorRuntime(Env& env, SlabArena& arena, CoordinatorState& state, std::string name,
                                       int32_t partition, CoordinatorRuntimeOptions options, Counters counters)
    : env_(env),
      arena_(arena),
      state_(state),
      name_(std::move(name)),
      partition_(partition),
      options_(options),
      counters_(counters),
      gate_(env) {}

Code CoordinatorRuntime::status() const {
  switch (phase_) {
    case Phase::kServing:
      return Code::kNone;
    case Phase::kNew:
    case Phase::kLoading:
      return Code::kCoordinatorLoadInProgress;
    case Phase::kFailed:
    case Phase::kClosed:
      return Code::kNotCoordinator;
  }
  return Code::kNotCoordinator;
}

void CoordinatorRuntime::failed() {
  if (counters_.failures) counters_.failures->add();
}

// --- writing

void CoordinatorRuntime::submit(Change change) {
  if (phase_ != Phase::kServing) return change.done(Code::kNotCoordinator);
  if (!change.build && size_bytes(change.records) > options_.batch_bytes_max)
    return change.done(Code::kMessageTooLarge);
  // What is built when its turn comes is the coordinator's own clean-up: small, and nobody would ask for it again.
  if (!change.build && queue_bytes_ + queued_bytes(change) > options_.queue_bytes_max)
    return change.done(Code::kCoordinatorNotAvailable);
  queue_bytes_ += queued_bytes(change);
  queue_.push_back(std::move(change));
  if (writing_) return;
  writing_ = spawn(gate_, "coordinator writes", write_loop());
  if (!writing_) drop_queue(Code::kNotCoordinator);
}

CoordinatorRuntime::Change CoordinatorRuntime::take_front() {
  Change change = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= queued_bytes(change);
  return change;
}

Task<void> CoordinatorRuntime::write_loop() {
  while (!queue_.empty() && phase_ == Phase::kServing) {
    if (queue_.front().build)
      co_await write_built();
    else
      co_await write_plain();
  }
  writing_ = false;
  if (phase_ != Phase::kServing) drop_queue(Code::kNotCoordinator);
}

// Writes all changes that wait now, up to the first one with `build`, as one batch.
Task<void> CoordinatorRuntime::write_plain() {
  std::vector<Change> changes;
  std::vector<size_t> ends;  // in `records`, of each change
  Records records;
  size_t bytes = 0;
  while (!queue_.empty() && !queue_.front().build) {
    const size_t more = size_bytes(queue_.front().records);
    if (!changes.empty() && bytes + more > options_.batch_bytes_max) break;
    bytes += more;
    Change change = take_front();
    for (auto& record : change.records) records.push_back(std::move(record));
    ends.push_back(records.size());
    changes.push_back(std::move(change));
  }
  const Code error = co_await append(records, 0, records.size());
  for (size_t i = 0, begin = 0; i < changes.size(); begin = ends[i++]) {
    if (error == Code::kNone) replay(records, begin, ends[i]);
    changes[i].done(error);
  }
}

Task<void> CoordinatorRuntime::write_built() {
  Change change = take_front();
  auto records = change.build();
  Code error = records ? Code::kNone : Code::kInvalidRequest;
  for (size_t begin = 0; error == Code::kNone && begin < records->size();) {
    size_t end = begin, bytes = 0;
    while (end < records->size() && (end == begin || bytes < options_.batch_bytes_max / 2))
      bytes += (*records)[end++].size_bytes();
    error = co_await append(*records, begin, end);
    if (error == Code::kNone) replay(*records, begin, end);
    begin = end;
  }
  change.done(error);
}

// Appends records [begin, end) as one batch. kNone: committed.
Task<Code> CoordinatorRuntime::append(const Records& records, size_t begin, size_t end) {
  BatchBuilder builder;
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (size_t i = begin; i < end; ++i) builder.add(now_ms, records[i].key, value_of(records[i]));
  auto appended = co_await log_->append(builder.build_run(arena_));
  if (!appended) {
    failed();
    env_.log().error(name_ + " could not be written", {{"partition", partition_}, {"error", appended.error()}});
    const Code code = append_code(appended.error());
    if (log_is_gone(appended.error())) fail(appended.error());
    co_return code;
  }
  if (counters_.batches) counters_.batches->add();
  for (;;) {
    auto committed = co_await log_->wait_committed(*appended, env_.in(kCommitRound));
    if (committed) co_return Code::kNone;
    if (phase_ != Phase::kServing) co_return Code::kNotCoordinator;
    // The log has it. Until it is known whether that stays so, nothing after it may be acknowledged.
    if (committed.error() == ErrorCode::kTimedOut) continue;
    failed();
    fail(committed.error());
    co_return Code::kNotCoordinator;
  }
}

void CoordinatorRuntime::replay(const Records& records, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i)
    ensure(state_.replay(records[i].key, value_of(records[i])).has_value(), "a record that we encoded can be decoded");
}

void CoordinatorRuntime::drop_queue(Code error) {
  while (!queue_.empty()) take_front().done(error);
}

void CoordinatorRuntime::fail(const Error& error) {
  if (phase_ != Phase::kServing) return;
  env_.log().error("a partition of " + name_ + " is lost, and is not served any more",
                   {{"partition", partition_}, {"error", error}});
  phase_ = Phase::kFailed;
  state_.lost(Code::kNotCoordinator);
}

void CoordinatorRuntime::give_up(const Error& error) {
  if (!may_load()) return;
  failed();
  env_.log().warn("a partition of " + name_ + " cannot be opened", {{"partition", partition_}, {"error", error}});
  phase_ = Phase::kFailed;
}

Task<void> CoordinatorRuntime::close() {
  const bool served = phase_ == Phase::kServing;
  phase_ = Phase::kClosed;
  if (served) state_.lost(Code::kNotCoordinator);
  co_await gate_.close();
  drop_queue(Code::kNotCoordinator);
}

// --- loading

Task<Status> CoordinatorRuntime::load(std::shared_ptr<CoordinatorLog> log) {
  ensure(may_load(), "a partition is loaded once, or again after it failed");
  Status replayed;
  {
    Gate::Holder inside(gate_);
    if (!inside) co_return Error(ErrorCode::kClosed);
    phase_ = Phase::kLoading;
    state_.clear();
    if (counters_.loading) counters_.loading->add(1);
    replayed = co_await replay_log(*log);
    if (counters_.loading) counters_.loading->add(-1);
  }
  if (phase_ != Phase::kLoading) co_return Error(ErrorCode::kClosed);
  if (!replayed) {
    failed();
    phase_ = Phase::kFailed;
    co_return std::move(replayed).error().in(name_ + " of partition " + std::to_string(partition_));
  }
  log_ = std::move(log);
  phase_ = Phase::kServing;
  state_.loaded();
  co_return ok();
}

Task<Status> CoordinatorRuntime::replay_log(CoordinatorLog& log) {
  const LogEnds ends = log.ends();
  Offset at = ends.log_start;
  while (at < ends.end && phase_ == Phase::kLoading) {
    CO_TRY(BatchRun run, co_await log.read(at, kLoadBytes));
    if (run.empty()) break;  // compacted to the end
    CO_CHECK(co_await replay_run(run, at));
    at = run.next();
  }
  // What a crash can still take back is not served.
  while (ends.end > ends.log_start && phase_ == Phase::kLoading) {
    auto committed = co_await log.wait_committed(ends.end - 1, env_.in(kCommitRound));
    if (committed) break;
    if (!(committed.error() == ErrorCode::kTimedOut)) co_return std::move(committed).error();
  }
  co_return ok();
}

Task<Status> CoordinatorRuntime::replay_run(const BatchRun& run, Offset from) {
  TurnBudget turn(env_);
  size_t begin = 0;
  for (const auto& header : run.batches) {
    const size_t size = header.size_bytes();
    if (!header.control() && header.next() > from) {
      if (header.transactional())
        co_return Error(ErrorCode::kUnsupported, "offset " + std::to_string(header.base_offset) + ": " + name_ +
                                                     " written in a transaction, which this broker cannot read");
      CO_TRY(auto reader, RecordReader::open(header, run.bytes, begin));
      Record record;
      for (;;) {
        CO_TRY(const bool more, reader.next(record));
        if (!more) break;
        Status replayed = record.key ? state_.replay(*record.key, record.value) : Error(ErrorCode::kCorrupt, "no key");
        if (!replayed) co_return std::move(replayed).error().in("offset " + std::to_string(record.offset.value()));
        if (!turn.spend(record.size_bytes)) continue;
        co_await turn.next_turn();
        if (phase_ != Phase::kLoading) co_return Error(ErrorCode::kClosed);
      }
    }
    begin += size;
  }
  co_return ok();
}

}  // namespace farshore::broker
