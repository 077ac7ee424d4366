// CoordinatorRuntime: keeps the state of a coordinator as a fold of one partition of an internal topic, as Apache
// Kafka's coordinator runtime does. A change is queued, appended, committed, replayed into the state, and only then
// acknowledged:
//
//   submit(Change) ──> queue ──> append ──> committed ──> State::replay(record) ──> done(kNone)
//   load(log)      ──> read the whole log ─────────────> State::replay(record) ──> State::loaded()
//
// One batch is under way at a time; the changes that arrive meanwhile share the next one. So the order of validation is
// the order of the log, and the state in memory never holds a change that the log does not have. Because both paths
// replay the same bytes, a restart finds the state that was there before.
//
// Compaction: a record without value (a tombstone) removes its key. replay() gets the records that the cleaner left, in
// the order of the log; a tombstone may come for a key that was never seen.
//
// Executor: the broker's. Owner: the coordinator of the partition, which is also its State. While idle it has no
// coroutine and no timer. Durability: a change whose done() got kNone is committed; with `durability=fsync` it is on
// disk.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/coordinator/encoded_record.h"
#include "broker/coordinator/internal_topics.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

// The state that a coordinator's records change.
class CoordinatorState {
 public:
  virtual ~CoordinatorState() = default;
  // Forgets everything: a load begins.
  virtual void clear() = 0;
  // Applies one committed record. An error ends a load (the log cannot be read); of a record that this process encoded
  // itself it is a bug.
  virtual Status replay(std::string_view key, std::optional<std::string_view> value) = 0;
  // All of the log was replayed; status() is kNone from now on.
  virtual void loaded() = 0;
  // The partition is not served until the next clear(): all waiting requests get `error`.
  virtual void lost(kafka::ErrorCode error) = 0;
};

struct CoordinatorRuntimeOptions {
  size_t batch_bytes_max = 1 << 20;   // of records; below max.message.bytes of the topic
  size_t queue_bytes_max = 64 << 20;  // changes that wait; more are refused
};

class CoordinatorRuntime {
 public:
  using Records = std::vector<EncodedRecord>;

  struct Change {
    // Exactly one of the two is used. `records`: known now; appended in one batch, which other changes may share.
    Records records;
    // Called when everything before it is replayed; no change before it can then be overlooked. Its records may be
    // spread over several batches.
    std::function<Result<Records>()> build;
    // Called once, after the replay or a failure. Codes: MESSAGE_TOO_LARGE (`records` do not fit into one batch),
    // INVALID_REQUEST (`build` failed), COORDINATOR_NOT_AVAILABLE (not written; may be tried again), NOT_COORDINATOR
    // (not served, or the outcome is not known), UNKNOWN_SERVER_ERROR.
    std::function<void(kafka::ErrorCode)> done;
  };

  // What happened, for metrics. All may be null.
  struct Counters {
    Counter* batches = nullptr;   // appended
    Counter* failures = nullptr;  // appends and loads that failed
    Gauge* loading = nullptr;     // partitions that are being loaded
  };

  // `name`: of the state in logs and errors, "group state". All references outlive the runtime.
  CoordinatorRuntime(Env& env, SlabArena& arena, CoordinatorState& state, std::string name, int32_t partition,
                     CoordinatorRuntimeOptions options, Counters counters);

  // Replays the whole log, and waits until what it replayed is committed. On an error the runtime has failed, and
  // load() may be called again. kClosed: close() was called meanwhile.
  Task<Status> load(std::shared_ptr<CoordinatorLog> log);
  // Waits for the batch under way; changes that wait get NOT_COORDINATOR, and the state is lost().
  Task<void> close();
  void give_up(const Error& error);  // the log cannot be opened; load() may be called later

  kafka::ErrorCode status() const;  // kNone: serves; COORDINATOR_LOAD_IN_PROGRESS; NOT_COORDINATOR
  bool serving() const { return phase_ == Phase::kServing; }
  bool loading() const { return phase_ == Phase::kNew || phase_ == Phase::kLoading; }  // or not begun
  bool may_load() const { return (phase_ == Phase::kNew || phase_ == Phase::kFailed) && !writing_; }
  int32_t partition() const { return partition_; }

  // done() may be called at once, when the change is refused.
  void submit(Change change);

 private:
  enum class Phase : uint8_t { kNew, kLoading, kServing, kFailed, kClosed };

  Task<void> write_loop();
  Task<void> write_plain();
  Task<void> write_built();
  Task<kafka::ErrorCode> append(const Records& records, size_t begin, size_t end);
  void replay(const Records& records, size_t begin, size_t end);
  void fail(const Error& error);
  void drop_queue(kafka::ErrorCode error);
  Change take_front();
  Task<Status> replay_log(CoordinatorLog& log);
  Task<Status> replay_run(const BatchRun& run, Offset from);
  void failed();

  Env& env_;
  SlabArena& arena_;
  CoordinatorState& state_;
  const std::string name_;
  const int32_t partition_;
  const CoordinatorRuntimeOptions options_;
  const Counters counters_;
  Phase phase_ = Phase::kNew;
  std::shared_ptr<CoordinatorLog> log_;
  std::deque<Change> queue_;
  size_t queue_bytes_ = 0;
  bool writing_ = false;
  Gate gate_;
};

}  // namespace farshore::broker
