#include "broker/partitions/partition.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"

namespace farshore::broker {
namespace {

constexpr Duration kRefusedPause = milliseconds(100);  // before a sync that was refused is tried again

// The log is lost until a restart. A full disk, or a lack of file descriptors, is not.
bool is_fatal(const Error& error) { return error != ErrorCode::kNoSpace && error != ErrorCode::kUnavailable; }

struct Counted {  // one of the client appends under way, however the coroutine ends
  Counted(size_t& c, bool count, Progress& e) : counter(c), counts(count), ended(e) { counter += counts ? 1 : 0; }
  Counted(const Counted&) = delete;
  ~Counted() {
    if (counts && --counter == 0) ended.notify();
  }
  size_t& counter;
  bool counts;
  Progress& ended;
};

}  // namespace

Partition::Partition(Env& env, std::string topic, TopicId topic_id, int32_t partition, std::unique_ptr<Log> log,
                     std::unique_ptr<CommitRule> rule, LeadershipEpoch epoch, std::shared_ptr<DiskState> disk)
    : env_(env),
      topic_(std::move(topic)),
      topic_id_(topic_id),
      partition_(partition),
      log_(std::move(log)),
      rule_(std::move(rule)),
      epoch_(epoch),
      disk_(std::move(disk)),
      progress_(env),
      gate_(env) {
  advance_high_watermark();
}

Partition::~Partition() = default;

void Partition::advance_high_watermark() {
  const LogEnds ends = log_->ends();
  log_->set_high_watermark(rule_->committed_end(ends));
  if (rule_->waits_for_sync(ends) && !syncing_ && !failed_) syncing_ = spawn(gate_, "partition sync", sync_loop());
}

// Group commit: all that was appended during one sync shares the next one.
Task<void> Partition::sync_loop() {
  while (!failed_ && rule_->waits_for_sync(log_->ends())) {
    auto flushed = co_await log_->flush();
    if (!flushed && !is_fatal(flushed.error()) && !gate_.closed()) {
      co_await env_.sleep(kRefusedPause);
      continue;
    }
    if (!flushed) {
      fail(flushed.error());
      break;
    }
    advance_high_watermark();
    progress_.notify();
  }
  syncing_ = false;
}

void Partition::fail(const Error& error) {
  if (failed_) return;
  failed_ = error;
  env_.log().error("partition offline", {{"topic", topic_}, {"partition", partition_}, {"error", error}});
  progress_.notify();
}

Task<Result<AppendInfo>> Partition::append(BatchRun run, AppendOrigin origin) {
  Gate::Holder inside(gate_);
  if (!inside) co_return Error(ErrorCode::kClosed, "the partition is going away");
  if (failed_) co_return *failed_;
  Counted counted(client_appends_, origin == AppendOrigin::kClient, progress_);
  const bool may_be_refused = origin == AppendOrigin::kClient || origin == AppendOrigin::kMirror;
  const bool trial = disk_->full && may_be_refused && std::exchange(disk_->trial, false);
  if (disk_->full && may_be_refused && !trial)
    co_return Error(ErrorCode::kNoSpace, "the disk is full, or its reserve (log.reserve.bytes) is reached");
  const uint64_t bytes = run.bytes.size();
  auto info = co_await log_->append(std::move(run), origin, LogEpoch(epoch_.value()));
  const bool written = info && info->outcome == AppendOutcome::kAppended;
  const bool refused = !info && info.error() == ErrorCode::kNoSpace;
  if (refused) {
    disk_->full = true;
    disk_->refused_bytes = std::max(disk_->refused_bytes, bytes);
    ++disk_->refused;
  }
  if (trial && written) disk_->fits = true;
  if (trial && !written && !refused) disk_->trial = true;  // it said nothing about the disk
  if (!info) {
    if (info.error() == ErrorCode::kIo) fail(info.error());
    co_return info;
  }
  if (written) changed();
  co_return info;
}

void Partition::changed() {
  advance_high_watermark();
  progress_.notify();
}

Task<Status> Partition::wait_committed(Offset last, Deadline deadline, Notifier* gone) {
  auto self = shared_from_this();
  while (log_->ends().high_watermark <= last) {
    if (failed_) co_return *failed_;
    if (gone && gone->closed()) {
      deadline = std::min(deadline, env_.in(kGoneMax));
      gone = nullptr;
    }
    Wait<void> moved(env_);
    progress_.add(moved);
    if (gone) gone->add(moved);
    auto waited = co_await moved.wait(deadline);
    if (!waited && !(gone && gone->closed())) co_return std::move(waited).error();
  }
  co_return ok();
}

Task<Status> Partition::settle(Deadline deadline) {
  auto self = shared_from_this();
  while (client_appends_ > 0 || log_->ends().high_watermark < log_->ends().end) {
    if (failed_) co_return *failed_;
    auto waited = co_await progress_.wait(deadline);
    if (!waited) co_return std::move(waited).error();
  }
  co_return ok();
}

Status Partition::announce_epoch() {
  const LogEpoch epoch(epoch_.value());
  if (log_->last_epoch() >= epoch) return ok();
  auto announced = log_->announce_epoch(epoch);
  if (announced) changed();
  return announced;
}

Task<Status> Partition::set_leadership_epoch(LeadershipEpoch epoch, bool begin_log_epoch) {
  Gate::Holder inside(gate_);
  if (!inside) co_return Error(ErrorCode::kClosed, "the partition is going away");
  ensure(epoch >= epoch_, "a leadership epoch never goes down");
  epoch_ = epoch;
  if (begin_log_epoch && log_->last_epoch().value() <= epoch.value()) {
    auto begun = co_await log_->begin_epoch(LogEpoch(epoch.value()));
    if (!begun) {
      if (is_fatal(begun.error())) fail(begun.error());
      co_return begun;
    }
  }
  changed();
  co_return ok();
}

Task<Status> Partition::close() {
  progress_.close();
  co_await gate_.close();
  co_return co_await log_->close();
}

}  // namespace farshore::broker
