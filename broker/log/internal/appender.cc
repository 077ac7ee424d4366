#include "broker/log/internal/appender.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/log_validator.h"
#include "proto/batch/header_patch.h"

namespace farshore {
namespace {

constexpr uint16_t kLogAppendTimeBit = 0x08;  // of a batch's attributes

}  // namespace

Result<Appender::Markers> Appender::read_markers(const BatchRun& run) {
  Markers markers;
  size_t begin = 0;
  for (const auto& header : run.batches) {
    if (header.control()) {
      markers.resize(run.batches.size());
      auto marker = read_marker(header, run.bytes, begin);
      // Control batches of other types (KRaft snapshots and the like) end no transaction. They are stored unchanged.
      if (!marker && marker.error() != ErrorCode::kUnsupported) return std::move(marker).error();
      if (marker) markers[static_cast<size_t>(&header - run.batches.data())] = *marker;
    }
    begin += header.size_bytes();
  }
  return markers;
}

Task<Result<AppendInfo>> Appender::append(BatchRun run, Markers markers, AppendOrigin origin, LogEpoch epoch) {
  if (origin == AppendOrigin::kMirror || origin == AppendOrigin::kFollower) {
    CO_CHECK(check_continues(run));
    co_return co_await write(std::move(run), std::move(markers));
  }
  const LogEpoch latest = state_.epochs.latest();
  if (epoch < latest)
    co_return Error(ErrorCode::kConflict, "the log is at epoch " + std::to_string(latest.value()) +
                                              ", an append comes with " + std::to_string(epoch.value()));
  if (origin == AppendOrigin::kClient) co_return co_await append_of_client(std::move(run), epoch);
  for (size_t i = 0; i < markers.size(); ++i) {
    if (!markers[i]) continue;
    auto verdict = state_.producers.check_marker(run.batches[i], *markers[i]);
    if (verdict.outcome != AppendOutcome::kAppended)
      co_return refuse_append(verdict.outcome, run.batches[i], verdict.refusal);
  }
  stamp_run(run, epoch, std::nullopt);
  co_return co_await write(std::move(run), std::move(markers));
}

Status Appender::check_continues(const BatchRun& run) const {
  Offset next = state_.end;
  LogEpoch last = state_.epochs.latest();
  for (const auto& header : run.batches) {
    if (header.first() < next || (header.epoch() < last && header.epoch() != LogEpoch(-1))) {
      return Error(ErrorCode::kConflict, "a batch at offset " + std::to_string(header.base_offset) + " epoch " +
                                             std::to_string(header.partition_leader_epoch) + " cannot follow offset " +
                                             std::to_string(next.value()) + " epoch " + std::to_string(last.value()));
    }
    next = header.next();
    last = std::max(last, header.epoch());
  }
  return ok();
}

Task<Result<AppendInfo>> Appender::append_of_client(BatchRun run, LogEpoch epoch) {
  const LogOptions& options = state_.options;
  const int64_t now_ms = directory_.env().wall_now().milliseconds_since_epoch;
  CO_TRY(auto refusal, co_await validate_client_run(directory_.env(), run, options, now_ms));
  if (refusal) co_return std::move(*refusal);
  auto verdict = state_.producers.check_client(run);
  if (verdict.outcome == AppendOutcome::kDuplicate) {
    AppendInfo info;
    info.outcome = verdict.outcome;
    info.first = verdict.first;
    info.last = verdict.last;
    info.log_append_time_ms = options.log_append_time ? verdict.timestamp_ms : -1;
    info.log_start = state_.log_start;
    co_return info;
  }
  if (verdict.outcome != AppendOutcome::kAppended)
    co_return refuse_append(verdict.outcome, run.batches.front(), verdict.refusal);
  const auto append_time_ms = options.log_append_time ? std::optional(now_ms) : std::nullopt;
  stamp_run(run, epoch, append_time_ms);
  auto appended = co_await write(std::move(run), {});
  if (appended && append_time_ms) appended->log_append_time_ms = *append_time_ms;
  co_return appended;
}

void Appender::stamp_run(BatchRun& run, LogEpoch epoch, std::optional<int64_t> append_time_ms) const {
  Offset next = state_.end;
  size_t begin = 0;
  for (size_t i = 0; i < run.batches.size(); ++i) {
    stamp(run, i, begin, next, epoch);
    if (append_time_ms) {
      BatchHeader after = run.batches[i];
      after.attributes |= kLogAppendTimeBit;
      after.max_timestamp = *append_time_ms;
      patch_header(run, i, begin, after);
    }
    next = run.batches[i].next();
    begin += run.batches[i].size_bytes();
  }
}

Task<Result<AppendInfo>> Appender::write(BatchRun run, Markers markers) {
  auto bytes = static_cast<int64_t>(run.bytes.size());
  if (bytes > log_format::kSegmentBytesMax || run.next() - run.first() > log_format::kSegmentOffsetsMax)
    co_return Error(ErrorCode::kInvalidArgument, "a run that no segment can hold: " + std::to_string(bytes) +
                                                     " bytes, " + std::to_string(run.next() - run.first()) +
                                                     " offsets; send it in parts");
  CO_CHECK(co_await active_.make_room_for(run));
  CO_CHECK(co_await note_gaps(run));
  CO_CHECK(co_await active_.write(run));
  count(run, markers);
  AppendInfo info;
  info.first = run.first();
  info.last = run.batches.back().last();
  info.log_start = state_.log_start;
  co_return info;
}

Task<Status> Appender::note_gaps(const BatchRun& run) {
  std::vector<Gap> gaps;
  Offset next = state_.end;
  LogEpoch epoch = state_.epochs.recorded();
  for (const auto& header : run.batches) {
    if (header.first() != next || header.epoch() != epoch) gaps.push_back({next, header.first(), header.epoch()});
    next = header.next();
    epoch = std::max(epoch, header.epoch());
  }
  if (gaps.empty()) co_return ok();
  // A mirror of a compacted topic has a gap before every batch, and a page cache is never flushed until a roll.
  if (directory_.gaps().size_bytes() >= GapFile::kBytesMax) CO_CHECK(co_await active_.forget_gaps());
  auto noted = co_await directory_.gaps().add(std::move(gaps));
  if (!noted) co_return health_.failed(std::move(noted).error());
  state_.epochs.note_recorded(epoch);
  co_return ok();
}

void Appender::count(const BatchRun& run, const Markers& markers) {
  Segment& segment = *state_.segments.active();
  for (size_t i = 0; i < run.batches.size(); ++i) {
    const BatchHeader& header = run.batches[i];
    segment.note(header, state_.options.index_interval_bytes);
    state_.epochs.assign(header.epoch(), header.first());
    if (!header.control()) {
      state_.producers.apply(header);
    } else if (markers[i]) {
      auto done = state_.producers.apply_marker(header, *markers[i]);
      if (done && done->aborted)
        segment.txns->append({{done->producer_id, done->first, done->last}, done->last_stable});
    }
  }
  state_.end = segment.next;
}

Status Appender::check_epoch_begins(LogEpoch epoch) const {
  if (epoch >= state_.epochs.latest()) return ok();
  return Error(ErrorCode::kConflict, "the log is at epoch " + std::to_string(state_.epochs.latest().value()) +
                                         "; epoch " + std::to_string(epoch.value()) + " cannot begin");
}

Status Appender::announce_epoch(LogEpoch epoch) {
  FARSHORE_CHECK(check_epoch_begins(epoch));
  state_.epochs.announce(epoch, state_.end);
  return ok();
}

Task<Status> Appender::begin_epoch(LogEpoch epoch) {
  LeaderEpochs& epochs = state_.epochs;
  CO_CHECK(check_epoch_begins(epoch));
  epochs.assign(epoch, state_.end);
  if (!epochs.dirty()) co_return ok();
  auto saved = co_await epochs.save();
  if (saved) saved = co_await directory_.checkpoint().save(state_.checkpoint(), CheckpointFile::Durability::kCached);
  if (!saved) co_return health_.failed(std::move(saved).error());
  co_return ok();
}

}  // namespace farshore
