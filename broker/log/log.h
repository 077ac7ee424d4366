// The log of one partition: segments in Apache Kafka's on-disk layout (FORMAT.md), usable alone.
// Executor: the Env's. Appends are one at a time, in call order. The log never decides what is committed: its owner
// moves the high watermark.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "broker/log/log_options.h"
#include "proto/batch/batch.h"

namespace farshore {

// Who appends. A client's batches get offsets, the epoch, and every check; a coordinator's too, without sequence
// checks. Follower and mirror batches keep offsets and epochs as they are (gaps allowed), without sequence, size or
// time checks.
enum class AppendOrigin : uint8_t { kClient, kCoordinator, kFollower, kMirror };

enum class AppendOutcome : uint8_t {
  kAppended,
  kDuplicate,  // an idempotent retry: the offsets of the first append are returned, nothing was written
  kOutOfOrderSequence,
  kInvalidProducerEpoch,
  kInvalidTxnState,    // a plain batch of a producer inside a transaction
  kCoordinatorFenced,  // a marker of an older transaction coordinator
  kMessageTooLarge,    // above max.message.bytes
  kInvalidTimestamp,   // outside message.timestamp.*.max.ms, or LogAppendTime set by the client
  kInvalidRecord,      // no key in a compacted topic, a control batch of a client, a count that disagrees with offsets
};

struct AppendInfo {
  AppendOutcome outcome = AppendOutcome::kAppended;
  std::string refusal;  // for the client, when the outcome is neither kAppended nor kDuplicate: nothing was written
  Offset first, last;
  int64_t log_append_time_ms = -1;  // -1: CreateTime
  Offset log_start;
};

struct LogEnds {
  Offset log_start;        // first offset that may be read (retention, DeleteRecords)
  Offset local_log_start;  // first offset held in local files
  Offset end;              // the next offset
  Offset flushed_end;      // everything below is durable
  Offset high_watermark;   // everything below is committed: what consumers see
  Offset last_stable;      // <= high_watermark; everything below belongs to decided transactions
};

// Bytes of whole batches from one segment file; pinned: readable even after the segment is deleted.
struct LogFileRange {
  std::shared_ptr<File> file;
  uint64_t position = 0, length = 0;
};

// What a read found. Empty when nothing below the bound is there yet.
struct LogSlice {
  std::vector<LogFileRange> ranges;  // at most one today; more with tiers
  Offset first;                      // base offset of the first batch; it may begin before the offset asked for
  uint64_t size_bytes = 0;
  LogEnds ends;  // at the time of the read
};

enum class ReadBound : uint8_t { kHighWatermark, kLastStable, kLogEnd };

struct AbortedTxn {
  int64_t producer_id;
  Offset first, last;  // first data offset, offset of the abort marker
};

struct EpochEnd {  // the answer to OffsetForLeaderEpoch (KIP-101, KIP-279)
  LogEpoch epoch;  // the largest known epoch <= the one asked; -1: none
  Offset end;      // where it ends; -1: none
};

struct OffsetAndTime {
  Offset offset;
  int64_t timestamp_ms;
  LogEpoch epoch;
};

struct CommittedTxn {           // the newest transaction of a producer that a marker committed here
  int16_t producer_epoch = -1;  // of its data; the marker's may be one higher (KIP-890)
  Offset marker;
  int64_t timestamp_ms = -1;  // of the marker
};

struct ProducerSummary {  // DescribeProducers, the promotion barrier, torn transactions
  int64_t producer_id;
  int16_t producer_epoch;
  int32_t last_sequence;
  int64_t last_timestamp_ms;
  std::optional<Offset> txn_first;
  int32_t coordinator_epoch;
  std::optional<CommittedTxn> last_commit;
  bool commits_known;  // false: from a snapshot, which does not say what was committed before it
};

struct LogRecovery {  // what opening found; for the log file of the broker and its metrics
  bool clean = true;
  uint64_t scanned_bytes = 0, cut_bytes = 0;  // a torn tail above the recovery point is cut
  std::vector<std::string> rebuilt;           // derived files that were missing or wrong, and were made again
};

class Log {
 public:
  virtual ~Log() = default;

  // Completes when the bytes are in the page cache; durable only when flushed_end has passed them. `epoch` is stamped
  // into kClient and kCoordinator batches. What topic settings or producer state refuse is an outcome, not an error.
  // Errors: kInvalidArgument (an empty run, or one that no segment can hold), kCorrupt (CRC), kConflict (offsets or
  // epochs do not continue the log), kNoSpace (nothing was appended), kIo (the log is dead: every later call fails),
  // kClosed. All batches of a run or none.
  virtual Task<Result<AppendInfo>> append(BatchRun run, AppendOrigin origin, LogEpoch epoch) = 0;

  // Whole batches from the one that holds `from` (or the next one after a gap), up to about `bytes_max`, at least one
  // if any. Empty between the bound and the end. kOutOfRange: below log_start or above the end.
  virtual Task<Result<LogSlice>> read(Offset from, ReadBound bound, size_t bytes_max) = 0;
  // The same, loaded into memory.
  virtual Task<Result<BatchRun>> read_run(Offset from, ReadBound bound, size_t bytes_max) = 0;
  // Aborted transactions that overlap [from, to): what a read_committed consumer must skip.
  virtual Task<Result<std::vector<AbortedTxn>>> aborted_in(Offset from, Offset to) = 0;

  virtual LogEnds ends() const = 0;
  // Never goes down except by truncation; clamped to end.
  virtual void set_high_watermark(Offset hw) = 0;
  // Makes everything appended so far durable (group commit: concurrent callers share one sync). flushed_end follows.
  virtual Task<Status> flush() = 0;

  // Removes everything at and above `to`, durably. A batch that holds `to` in its middle goes as a whole, so the end
  // may then be lower than `to`; the end is always the offset after the last batch left. kInvalidArgument below the
  // high watermark unless `below_high_watermark` (a mirror whose source lost acknowledged data).
  virtual Task<Status> truncate_to(Offset to, bool below_high_watermark) = 0;
  // Empties the log and continues at `start`.
  virtual Task<Status> reset_to(Offset start) = 0;
  // Raises log_start, durably (kOutOfRange above the high watermark); whole segments below it are deleted.
  virtual Task<Status> advance_log_start(Offset to) = 0;
  // Deletes old segments by time and size (never one that reaches above the high watermark), and forgets producers that
  // expired. Returns how many segments. To be called now and then.
  virtual Task<Result<int>> apply_retention() = 0;
  // One pass of the cleaner for cleanup.policy=compact. Returns the bytes it removed.
  virtual Task<Result<uint64_t>> clean() = 0;

  virtual LogEpoch last_epoch() const = 0;  // -1: empty
  virtual EpochEnd epoch_end(LogEpoch epoch) const = 0;
  virtual LogEpoch epoch_at(Offset offset) const = 0;  // of the batch that holds it; -1: unknown
  // Assigns a start offset to a new epoch at once (leadership change, promotion), also without a write.
  virtual Task<Status> begin_epoch(LogEpoch epoch) = 0;

  // First record with timestamp >= `timestamp_ms` (KIP-79). nullopt: none.
  virtual Task<Result<std::optional<OffsetAndTime>>> offset_for_time(int64_t timestamp_ms) = 0;
  // The record with the largest timestamp (ListOffsets -3). nullopt: empty.
  virtual Task<Result<std::optional<OffsetAndTime>>> offset_of_max_time() = 0;

  virtual std::vector<ProducerSummary> producers() const = 0;
  virtual void set_options(LogOptions options) = 0;
  virtual const LogRecovery& recovery() const = 0;
  virtual uint64_t size_bytes() const = 0;

  // Flushes, writes checkpoints and snapshots, closes files. The next open() is clean. Waits for every call that is
  // under way. To be called before the log is destroyed, unless its Env is dead; later calls give kClosed.
  virtual Task<Status> close() = 0;
};

// Opens or creates the log in `directory` (`<topic>-<partition>`), whose parent is there, durably. After an unclean end
// it scans from the recovery point. kCorrupt: damage below the recovery point; the partition is quarantined (it stays
// closed until somebody decides: FORMAT.md), nothing was truncated.
Task<Result<std::unique_ptr<Log>>> open_log(Env& env, SlabArena& arena, std::string directory, LogOptions options);

}  // namespace farshore
