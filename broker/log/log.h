// The log of one partition: segments in Apache Kafka's on-disk layout (FORMAT.md), usable alone.
// Executor: the Env's, for all calls. Appends run one at a time, in call order; reads run beside them. The log never
// decides what is committed: its owner moves the high watermark.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "broker/log/log_options.h"
#include "proto/batch/batch.h"

namespace farshore {

// Who appends. Batches of clients and coordinators get their offsets and epoch from the log. A client's batches also
// get every check; a coordinator's get no sequence checks. Batches of followers and mirrors keep their offsets and
// epochs (gaps are allowed), and get no sequence, size or time checks.
enum class AppendOrigin : uint8_t { kClient, kCoordinator, kFollower, kMirror };

enum class AppendOutcome : uint8_t {
  kAppended,
  kDuplicate,  // a retry of an idempotent producer: nothing was written, the offsets are those of the first append
  kOutOfOrderSequence,
  kInvalidProducerEpoch,
  kInvalidTxnState,    // a plain batch of a producer inside a transaction
  kCoordinatorFenced,  // a marker of an older transaction coordinator
  kMessageTooLarge,    // above max.message.bytes
  kInvalidTimestamp,   // outside message.timestamp.*.max.ms, or LogAppendTime set by the client
  kInvalidRecord,      // no key in a compacted topic, a client's control batch, a count that disagrees with offsets
};

struct AppendInfo {
  AppendOutcome outcome = AppendOutcome::kAppended;
  std::string refusal;  // why, for the client, if the outcome is neither kAppended nor kDuplicate; nothing was written
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

// Bytes of whole batches in one segment file. The file stays readable even after the segment is deleted.
struct LogFileRange {
  std::shared_ptr<File> file;
  uint64_t position = 0, length = 0;
};

// The answer to a read. Empty if there is no batch below the bound yet.
struct LogSlice {
  std::vector<LogFileRange> ranges;  // at most one today; more with tiers
  Offset first;                      // base offset of the first batch; it may be below the offset asked for
  Offset next;  // every batch of the slice ends below it, and every later one begins at it or above
  uint64_t size_bytes = 0;
  LogEnds ends;  // at the time of the read
};

enum class ReadBound : uint8_t { kHighWatermark, kLastStable, kLogEnd };

struct AbortedTxn {
  int64_t producer_id;
  Offset first, last;  // first data offset, offset of the abort marker
};

struct EpochEnd {  // the answer to OffsetForLeaderEpoch (KIP-101, KIP-279)
  LogEpoch epoch;  // the largest known epoch <= the one asked for; -1: none
  Offset end;      // where it ends; -1: none
};

struct OffsetAndTime {
  Offset offset;
  int64_t timestamp_ms;
  LogEpoch epoch;
};

struct CommittedTxn {           // the newest transaction of a producer that a marker in this log committed
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
  bool commits_known;  // false: the state is from a snapshot, which has no commits
};

struct LogRecovery {  // the report of the opening, for the broker's log file and metrics
  bool clean = true;
  uint64_t scanned_bytes = 0, cut_bytes = 0;  // a torn tail above the recovery point is cut
  std::vector<std::string> rebuilt;           // derived files that were missing or wrong, and were rebuilt
};

class Log {
 public:
  virtual ~Log() = default;

  // Appends all batches of a run, or none. Completes when the bytes are in the page cache; they are durable only when
  // flushed_end has passed them. `epoch` is stamped into kClient and kCoordinator batches. If topic settings or the
  // producer state refuse the run, the result is an outcome and not an error.
  // Errors: kInvalidArgument (an empty run, or one that no segment can hold), kCorrupt (CRC), kConflict (offsets or
  // epochs do not continue the log), kNoSpace and kUnavailable (no file descriptor is free; nothing was appended), kIo
  // (the log is dead: every later call fails), kClosed.
  virtual Task<Result<AppendInfo>> append(BatchRun run, AppendOrigin origin, LogEpoch epoch) = 0;

  // Whole batches from the one that holds `from` on (or the next one after a gap): about `bytes_max` bytes, at least
  // one batch if there is any. Empty if `from` is between the bound and the end. kOutOfRange: `from` is below log_start
  // or above the end.
  virtual Task<Result<LogSlice>> read(Offset from, ReadBound bound, size_t bytes_max) = 0;
  // The same, loaded into memory. kConflict: the bytes were truncated meanwhile, read again.
  virtual Task<Result<BatchRun>> read_run(Offset from, ReadBound bound, size_t bytes_max) = 0;
  // The aborted transactions that overlap [from, to). A read_committed consumer skips their records.
  virtual Task<Result<std::vector<AbortedTxn>>> aborted_in(Offset from, Offset to) = 0;

  virtual LogEnds ends() const = 0;
  // Rises only, up to the end; a lower value is ignored. Only truncation lowers it.
  virtual void set_high_watermark(Offset hw) = 0;
  // Makes everything durable that was appended so far, and raises flushed_end. Concurrent callers share one sync.
  virtual Task<Status> flush() = 0;

  // Removes every batch that holds `to` or a higher offset, durably. The end is then the offset after the last batch
  // left; it is below `to` if a batch held `to` in its middle. kInvalidArgument: `to` is below the high watermark, and
  // `below_high_watermark` is false (it is true for a mirror whose source lost acknowledged data). kOutOfRange: below
  // the log start.
  virtual Task<Status> truncate_to(Offset to, bool below_high_watermark) = 0;
  // Empties the log, durably. The next append goes to `start`.
  virtual Task<Status> reset_to(Offset start) = 0;
  // Raises log_start, durably, and deletes segments that lie wholly below it: a few, since appends wait meanwhile; the
  // others go with the next apply_retention(). kOutOfRange: above the high watermark.
  virtual Task<Status> advance_log_start(Offset to) = 0;
  // Deletes old segments by time and size, but none that reaches above the high watermark. Forgets producers that
  // expired. Appends wait for the removal of one segment at most. Returns how many segments were deleted. The owner
  // calls it periodically.
  virtual Task<Result<int>> apply_retention() = 0;
  // One pass of the cleaner, if cleanup.policy has compact. Returns how many bytes it removed. If the keys do not fit
  // into its memory, the pass cleans a part, and the next one goes on from there. The owner calls it periodically.
  virtual Task<Result<uint64_t>> clean() = 0;

  virtual LogEpoch last_epoch() const = 0;  // -1: empty
  virtual EpochEnd epoch_end(LogEpoch epoch) const = 0;
  virtual LogEpoch epoch_at(Offset offset) const = 0;  // of the batch that holds the offset; -1: unknown
  // The epoch begins at the current end, durably, even if no batch follows (leadership change, promotion). kConflict:
  // the log has a higher epoch.
  virtual Task<Status> begin_epoch(LogEpoch epoch) = 0;
  // The same in memory only: the epoch becomes durable with its first batch, or with begin_epoch(). For the epoch that
  // a leader begins when it starts: if it writes nothing, its next start begins a higher one at the same offset, so a
  // start costs no sync. Only while no append is running. kConflict: the log has a higher epoch.
  virtual Status announce_epoch(LogEpoch epoch) = 0;

  // The first record with a timestamp >= `timestamp_ms` (KIP-79). nullopt: there is none.
  virtual Task<Result<std::optional<OffsetAndTime>>> offset_for_time(int64_t timestamp_ms) = 0;
  // The record with the largest timestamp (ListOffsets -3). nullopt: the log is empty.
  virtual Task<Result<std::optional<OffsetAndTime>>> offset_of_max_time() = 0;

  virtual std::vector<ProducerSummary> producers() const = 0;
  virtual void set_options(LogOptions options) = 0;
  virtual const LogRecovery& recovery() const = 0;
  virtual uint64_t size_bytes() const = 0;
  // At or above it, each batch is as it was appended. Below it, the cleaner has changed or removed batches, also if
  // cleanup.policy has no compact any more. 0: it never did. Durable before the first batch changes.
  virtual Offset compacted_to() const = 0;

  // Waits for every running call, flushes, writes checkpoints and snapshots, and closes the files. The next opening is
  // clean. The owner calls it before it destroys the log, unless the Env is dead. Later calls return kClosed.
  virtual Task<Status> close() = 0;
};

// Opens or creates the log in `directory` (`<topic>-<partition>`). The parent directory exists, durably, and so does
// `directory` if it is there. If the log was
// not closed cleanly, everything above the recovery point is read. kCorrupt: there is damage below the recovery point.
// Nothing was cut; the partition is quarantined, and stays closed until an operator decides (FORMAT.md).
// `files`: the Env's, or a FileCache over them, so that many logs need few descriptors.
Task<Result<std::unique_ptr<Log>>> open_log(Env& env, FileSystem& files, SlabArena& arena, std::string directory,
                                            LogOptions options);

}  // namespace farshore
