// Partition: one partition that this broker leads: its log, its leadership epoch, and the waits for its progress.
// Executor: the broker's. Owner: PartitionTable. Never destroyed while a handler holds it (shared_ptr).
#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "base/gate.h"
#include "broker/log/log.h"
#include "broker/metadata/cluster_image.h"
#include "broker/partitions/commit_rule.h"
#include "broker/partitions/progress.h"

namespace farshore::broker {

// Whether clients may append.
enum class ClientAccess : uint8_t {
  kWritable,
  kMirror,   // written by a link only, until it is promoted
  kFenced,   // by a link that promotes the topic at the other end: for a while, so clients may try again
  kReadOnly  // by a link that promoted the topic at the other end: clients write there now
};

// Shared by all partitions of one disk. DiskWatch keeps it up to date; appends tell what they found out.
struct DiskState {
  bool full = false;  // clients' and mirrors' appends are refused with kNoSpace, except one that is a trial
  // The free space alone does not say whether a write fits (quotas, large writes). So after a refused write one append
  // may try again from time to time.
  bool trial = false;          // the next append is a trial, and ends this
  bool fits = false;           // a trial was written
  uint64_t refused = 0;        // appends that the disk refused, so far
  uint64_t refused_bytes = 0;  // of the largest since DiskWatch has looked
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  Partition(Env& env, std::string topic, TopicId topic_id, int32_t partition, std::unique_ptr<Log> log,
            std::unique_ptr<CommitRule> rule, LeadershipEpoch epoch, std::shared_ptr<DiskState> disk);
  ~Partition();

  const std::string& topic() const { return topic_; }
  const TopicId& topic_id() const { return topic_id_; }
  int32_t partition() const { return partition_; }
  LeadershipEpoch leadership_epoch() const { return epoch_; }
  LogEnds ends() const { return log_->ends(); }
  Log& log() { return *log_; }
  const Log& log() const { return *log_; }
  ClientAccess client_access() const { return access_; }
  void set_client_access(ClientAccess access) { access_ = access; }
  // True once the partition is being closed or deleted: answer as if it did not exist.
  bool closing() const { return gate_.closed(); }
  // Set after the log failed (kIo): every append fails until the broker is restarted.
  const std::optional<Error>& failure() const { return failed_; }

  // Appends, and moves the high watermark as the CommitRule allows. Does not wait for it: an acknowledgement is
  // wait_committed(info.last). Errors as Log::append, and kNoSpace for kClient and kMirror when the disk's reserve is
  // reached; kClosed once the partition is going away. client_access() is not asked: Produce's handler does.
  Task<Result<AppendInfo>> append(BatchRun run, AppendOrigin origin);
  // ok when high_watermark > last. kTimedOut: not yet known; kIo / kClosed: never. `gone` (may be null): closed when
  // nobody waits for the answer any more, or the broker stops; then it waits for kGoneMax at most.
  static constexpr Duration kGoneMax = seconds(5);
  Task<Status> wait_committed(Offset last, Deadline deadline, Notifier* gone = nullptr);

  // Waits until every client append that was admitted so far has ended, and the whole log is committed. Called after
  // set_client_access() has refused new writes: then the end does not move any more. Errors as wait_committed.
  Task<Status> settle(Deadline deadline);

  // The log's lineage goes on with the leadership epoch that the partition was opened with (Log::announce_epoch). Once,
  // before the partition is used.
  Status announce_epoch();
  // Never lower. `begin_log_epoch`: the log's lineage goes on with it (Log::begin_epoch); false on an active mirror,
  // whose lineage is the source's.
  Task<Status> set_leadership_epoch(LeadershipEpoch epoch, bool begin_log_epoch = true);
  // After truncation, promotion, log start or epoch changes made directly on log(), and when the CommitRule learned
  // something: recomputes and notifies.
  void changed();

  // Notified when end, high watermark, last stable offset, log start or epoch moved: long polls wait here, and
  // fetch sessions watch.
  Progress& progress() { return progress_; }

  // Refuses appends from now on, ends all waits, waits for appends under way, then closes the log.
  Task<Status> close();

 private:
  Task<void> sync_loop();
  void advance_high_watermark();  // the only caller of Log::set_high_watermark
  void fail(const Error& error);
  Env& env_;
  std::string topic_;
  TopicId topic_id_;
  int32_t partition_;
  std::unique_ptr<Log> log_;
  const std::unique_ptr<CommitRule> rule_;
  LeadershipEpoch epoch_;
  std::shared_ptr<DiskState> disk_;
  ClientAccess access_ = ClientAccess::kWritable;
  Progress progress_;
  Gate gate_;
  bool syncing_ = false;
  size_t client_appends_ = 0;  // under way
  std::optional<Error> failed_;
};

using PartitionPtr = std::shared_ptr<Partition>;

}  // namespace farshore::broker
