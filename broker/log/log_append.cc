// Appending: validate, assign, write, account. In this order, so that a failure leaves nothing behind.
#include <algorithm>

#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"
#include "proto/batch/header_patch.h"

namespace farshore {
namespace {

AppendInfo refuse(AppendOutcome outcome, const BatchHeader& header, std::string_view why) {
  AppendInfo info;
  info.outcome = outcome;
  info.refusal = "batch of " + std::to_string(header.record_count) + " records: " + std::string(why);
  return info;
}

// What a client may send, by itself (KIP-32, KIP-98, LogValidator's rules as far as a header tells them).
std::optional<AppendInfo> refuse_client_batch(const BatchHeader& header, const LogOptions& options, int64_t now_ms) {
  if (header.size_bytes() > options.max_message_bytes)
    return refuse(AppendOutcome::kMessageTooLarge, header,
                  std::to_string(header.size_bytes()) + " bytes; max.message.bytes is " +
                      std::to_string(options.max_message_bytes));
  if (header.control()) return refuse(AppendOutcome::kInvalidRecord, header, "clients write no control batches");
  if (header.record_count == 0 || !header.contiguous())
    return refuse(AppendOutcome::kInvalidRecord, header, "its count is not last_offset_delta + 1");
  if (header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0))
    return refuse(AppendOutcome::kInvalidRecord, header, "a producer id without epoch or sequence");
  if (header.transactional() && !header.has_producer())
    return refuse(AppendOutcome::kInvalidRecord, header, "transactional without a producer id");
  if (header.has_delete_horizon())
    return refuse(AppendOutcome::kInvalidRecord, header, "clients set no delete horizon");
  if (header.log_append_time())
    return refuse(AppendOutcome::kInvalidTimestamp, header, "LogAppendTime is the broker's to set");
  if (options.log_append_time) return std::nullopt;
  if (header.max_timestamp >= 0 && header.max_timestamp > now_ms &&
      header.max_timestamp - now_ms > options.timestamp_after_max_ms)
    return refuse(AppendOutcome::kInvalidTimestamp, header,
                  "a timestamp further ahead than message.timestamp.after.max.ms");
  if (header.base_timestamp >= 0 && header.base_timestamp < now_ms &&
      now_ms - header.base_timestamp > options.timestamp_before_max_ms)
    return refuse(AppendOutcome::kInvalidTimestamp, header, "a timestamp older than message.timestamp.before.max.ms");
  return std::nullopt;
}

// Compaction needs a key in every record: the one case where a client's records are looked at.
Result<std::optional<AppendInfo>> refuse_keyless(const BatchRun& run) {
  size_t begin = 0;
  for (const auto& header : run.batches) {
    FARSHORE_TRY(auto reader, RecordReader::open(header, run.bytes, begin));
    Record record;
    for (;;) {
      FARSHORE_TRY(bool more, reader.next(record));
      if (!more) break;
      if (!record.key)
        return std::optional(refuse(AppendOutcome::kInvalidRecord, header, "a compacted topic needs a key in each"));
    }
    begin += header.size_bytes();
  }
  return std::optional<AppendInfo>();
}

Result<std::vector<std::optional<ControlMarker>>> read_markers(const BatchRun& run) {
  std::vector<std::optional<ControlMarker>> markers;
  size_t begin = 0;
  for (const auto& header : run.batches) {
    if (header.control()) {
      markers.resize(run.batches.size());
      auto marker = read_marker(header, run.bytes, begin);
      // Other control types (KRaft snapshots and the like) change no transaction; they are kept as they are.
      if (!marker && marker.error() != ErrorCode::kUnsupported) return std::move(marker).error();
      if (marker) markers[static_cast<size_t>(&header - run.batches.data())] = *marker;
    }
    begin += header.size_bytes();
  }
  return markers;
}

}  // namespace

Task<Result<AppendInfo>> LogImpl::append(BatchRun run, AppendOrigin origin, LogEpoch epoch) {
  Inside inside(gate_);
  CO_CHECK(usable());
  if (run.empty()) co_return Error(ErrorCode::kInvalidArgument, "an empty run");
  if (origin != AppendOrigin::kCoordinator) CO_CHECK(verify_crc(run));
  CO_TRY(Markers markers, read_markers(run));
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());

  if (origin == AppendOrigin::kMirror || origin == AppendOrigin::kFollower) {
    Offset next = end_;
    LogEpoch last = epochs_.latest();
    for (const auto& header : run.batches) {
      if (header.first() < next || (header.epoch() < last && header.epoch() != LogEpoch(-1))) {
        co_return Error(ErrorCode::kConflict, "a batch at offset " + std::to_string(header.base_offset) + " epoch " +
                                                  std::to_string(header.partition_leader_epoch) +
                                                  " cannot follow offset " + std::to_string(next.value()) + " epoch " +
                                                  std::to_string(last.value()));
      }
      next = header.next();
      last = std::max(last, header.epoch());
    }
    co_return co_await append_checked(std::move(run), std::move(markers));
  }

  if (epoch < epochs_.latest())
    co_return Error(ErrorCode::kConflict, "the log is at epoch " + std::to_string(epochs_.latest().value()) +
                                              ", an append comes with " + std::to_string(epoch.value()));
  if (origin == AppendOrigin::kClient) co_return co_await append_client(std::move(run), epoch);
  for (size_t i = 0; i < markers.size(); ++i) {
    if (!markers[i]) continue;
    auto verdict = producers_.check_marker(run.batches[i], *markers[i]);
    if (verdict.outcome != AppendOutcome::kAppended) co_return refuse(verdict.outcome, run.batches[i], verdict.refusal);
  }
  stamp_run(run, epoch, std::nullopt);
  co_return co_await append_checked(std::move(run), std::move(markers));
}

Task<Result<AppendInfo>> LogImpl::append_client(BatchRun run, LogEpoch epoch) {
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (const auto& header : run.batches) {
    if (auto refusal = refuse_client_batch(header, options_, now_ms)) co_return std::move(*refusal);
  }
  if (options_.cleanup_policy != CleanupPolicy::kDelete) {
    CO_TRY(auto refusal, refuse_keyless(run));
    if (refusal) co_return std::move(*refusal);
  }
  auto verdict = producers_.check_client(run);
  if (verdict.outcome == AppendOutcome::kDuplicate) {
    AppendInfo info;
    info.outcome = verdict.outcome;
    info.first = verdict.first;
    info.last = verdict.last;
    info.log_append_time_ms = options_.log_append_time ? verdict.timestamp_ms : -1;
    info.log_start = log_start_;
    co_return info;
  }
  if (verdict.outcome != AppendOutcome::kAppended)
    co_return refuse(verdict.outcome, run.batches.front(), verdict.refusal);
  auto append_time = options_.log_append_time ? std::optional(now_ms) : std::nullopt;
  stamp_run(run, epoch, append_time);
  auto appended = co_await append_checked(std::move(run), {});
  if (appended && append_time) appended->log_append_time_ms = *append_time;
  co_return appended;
}

void LogImpl::stamp_run(BatchRun& run, LogEpoch epoch, std::optional<int64_t> append_time_ms) {
  Offset next = end_;
  size_t begin = 0;
  for (size_t i = 0; i < run.batches.size(); ++i) {
    stamp(run, i, begin, next, epoch);
    if (append_time_ms) {
      BatchHeader after = run.batches[i];
      after.attributes |= 0x08;
      after.max_timestamp = *append_time_ms;
      patch_header(run, i, begin, after);
    }
    next = run.batches[i].next();
    begin += run.batches[i].size_bytes();
  }
}

Task<Result<AppendInfo>> LogImpl::append_checked(BatchRun run, Markers markers) {
  auto bytes = static_cast<int64_t>(run.bytes.size());
  if (bytes > log_format::kSegmentBytesMax || run.next() - run.first() > log_format::kSegmentOffsetsMax)
    co_return Error(ErrorCode::kInvalidArgument, "a run that no segment can hold: " + std::to_string(bytes) +
                                                     " bytes, " + std::to_string(run.next() - run.first()) +
                                                     " offsets; send it in parts");
  CO_CHECK(co_await roll_if_needed(run));
  CO_CHECK(co_await note_jumps(run));
  SegmentPtr segment = active();
  auto pieces = run.bytes.pieces();
  auto written = co_await segment->file->write_at(segment->size, ConstBytesList(pieces.data(), pieces.size()));
  if (!written) {
    if (written.error() != ErrorCode::kNoSpace) co_return die(std::move(written).error());
    auto undone = co_await segment->file->truncate(segment->size);
    if (!undone) co_return die(std::move(undone).error());
    co_return std::move(written).error().in(directory_);
  }
  note_appended(run, markers);
  AppendInfo info;
  info.first = run.first();
  info.last = run.batches.back().last();
  info.log_start = log_start_;
  co_return info;
}

Task<Status> LogImpl::note_jumps(const BatchRun& run) {
  std::vector<Jump> jumps;
  Offset next = end_;
  LogEpoch epoch = epochs_.latest();
  for (const auto& header : run.batches) {
    if (header.first() != next || header.epoch() != epoch) jumps.push_back({next, header.first(), header.epoch()});
    next = header.next();
    epoch = std::max(epoch, header.epoch());
  }
  if (jumps.empty()) co_return ok();
  auto noted = co_await jumps_.add(std::move(jumps));
  if (!noted && noted.error() != ErrorCode::kNoSpace) co_return die(std::move(noted).error());
  co_return noted;
}

void LogImpl::note_appended(const BatchRun& run, const Markers& markers) {
  Segment& segment = *active();
  for (size_t i = 0; i < run.batches.size(); ++i) {
    const BatchHeader& header = run.batches[i];
    segment.note(header, options_.index_interval_bytes);
    epochs_dirty_ |= epochs_.assign(header.epoch(), header.first());
    if (!header.control()) {
      producers_.apply(header);
    } else if (markers[i]) {
      auto done = producers_.apply_marker(header, *markers[i]);
      if (done && done->aborted)
        segment.txns->append({{done->producer_id, done->first, done->last}, done->last_stable});
    }
  }
  end_ = segment.next;
}

Task<Status> LogImpl::roll_if_needed(const BatchRun& run) {
  const Segment& segment = *active();
  if (run.next() - segment.base > log_format::kSegmentOffsetsMax) co_return co_await roll_over_gap(run.first());
  if (segment.size == 0) co_return ok();
  const uint64_t size = segment.size + run.bytes.size();
  bool full = size > options_.segment_bytes || size > static_cast<uint64_t>(log_format::kSegmentBytesMax) ||
              (segment.index.size() + 1) * log_format::kOffsetEntryBytes > options_.segment_index_bytes ||
              (segment.times.size() + 1) * log_format::kTimeEntryBytes > options_.segment_index_bytes;
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  const int64_t newest = run.batches.back().max_timestamp;
  // As Kafka: by the records' own time where they have one.
  int64_t age_ms = segment.first_timestamp_ms >= 0 && newest >= 0 ? newest - segment.first_timestamp_ms
                                                                  : now_ms - segment.created_ms;
  if (full || age_ms > options_.segment_ms) co_return co_await roll(end_);
  co_return ok();
}

Task<Status> LogImpl::roll(Offset base) {
  SegmentPtr old = active();
  ensure(base > old->base, "a new segment begins above the old one");
  old->finish_times();
  CO_CHECK(co_await write_indexes(env_, directory_, old));
  CO_CHECK(co_await write_snapshot(base, false));
  CO_TRY(SegmentPtr fresh, co_await make_segment(base));
  segments_.emplace(base, std::move(fresh));
  loaded_.push_back(old);
  end_ = base;
  spawn(gate_, "log.flush_after_roll", flush_after_roll());
  co_return ok();
}

// Offsets relative to the base would overflow: the gap is the source's (compaction). Recovery takes a gap between
// segments for lost data, unless it lies below the recovery point.
Task<Status> LogImpl::roll_over_gap(Offset base) {
  CO_CHECK(co_await flush_to_end());
  if (end_ > active()->base) CO_CHECK(co_await roll(end_));
  if (base == end_) co_return ok();
  CO_CHECK(co_await roll(base));
  CO_CHECK(co_await flush_to_end());
  auto saved = co_await save_checkpoint(Durability::kDurable);
  if (!saved) co_return die(std::move(saved).error());
  co_return ok();
}

Task<void> LogImpl::flush_after_roll() { (void)co_await flush_to_end(); }

Task<Status> LogImpl::begin_epoch(LogEpoch epoch) {
  Inside inside(gate_);
  CO_CHECK(usable());
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  if (epoch < epochs_.latest())
    co_return Error(ErrorCode::kConflict, "the log is at epoch " + std::to_string(epochs_.latest().value()) +
                                              "; epoch " + std::to_string(epoch.value()) + " cannot begin");
  if (epochs_.assign(epoch, end_)) epochs_dirty_ = true;
  if (!epochs_dirty_) co_return ok();
  CO_CHECK(co_await save_epochs());
  co_return co_await save_checkpoint(Durability::kCached);
}

}  // namespace farshore
