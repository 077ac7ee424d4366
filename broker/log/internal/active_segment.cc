#include "broker/log/internal/active_segment.h"

#include "broker/log/internal/log_format.h"

namespace farshore {

ActiveSegment::ActiveSegment(LogState& state, LogDirectory& directory, LogHealth& health, ProducerSnapshots& snapshots,
                             Flusher& flusher, Gate& gate)
    : state_(state), directory_(directory), health_(health), snapshots_(snapshots), flusher_(flusher), gate_(gate) {}

bool ActiveSegment::is_full(const BatchRun& run) const {
  const Segment& segment = *state_.segments.active();
  const LogOptions& options = state_.options;
  const uint64_t size = segment.size + run.bytes.size();
  return size > options.segment_bytes || size > static_cast<uint64_t>(log_format::kSegmentBytesMax) ||
         (segment.index.size() + 1) * log_format::kOffsetEntryBytes > options.segment_index_bytes ||
         (segment.times.size() + 1) * log_format::kTimeEntryBytes > options.segment_index_bytes;
}

Task<Status> ActiveSegment::make_room_for(const BatchRun& run) {
  const Segment& segment = *state_.segments.active();
  if (run.next() - segment.base > log_format::kSegmentOffsetsMax) co_return co_await roll_over_gap(run.first());
  if (segment.size == 0) co_return ok();
  const int64_t now_ms = directory_.env().wall_now().milliseconds_since_epoch;
  const int64_t newest = run.batches.back().max_timestamp;
  // As in Kafka, a segment's age counts by its records' timestamps if they have any.
  const int64_t age_ms = segment.first_timestamp_ms >= 0 && newest >= 0 ? newest - segment.first_timestamp_ms
                                                                        : now_ms - segment.created_ms;
  if (is_full(run) || age_ms > state_.options.segment_ms) co_return co_await roll(state_.end);
  co_return ok();
}

Task<Status> ActiveSegment::write(const BatchRun& run) {
  SegmentPtr segment = state_.segments.active();
  auto pieces = run.bytes.pieces();
  auto written = co_await segment->file->write_at(segment->size, ConstBytesList(pieces.data(), pieces.size()));
  if (written) co_return ok();
  if (written.error() != ErrorCode::kNoSpace) co_return health_.die(std::move(written).error());
  auto undone = co_await segment->file->truncate(segment->size);
  if (!undone) co_return health_.die(std::move(undone).error());
  co_return std::move(written).error().in(directory_.path());
}

Task<Status> ActiveSegment::roll(Offset base) {
  SegmentPtr old = state_.segments.active();
  ensure(base > old->base, "a new segment begins above the old one");
  auto fresh = co_await begin_segment(old, base);
  if (!fresh) co_return health_.failed(std::move(fresh).error());
  state_.segments.add(std::move(*fresh));
  old->leave_indexes_to_files();
  state_.segments.keep_transactions_of(old);
  state_.end = base;
  spawn(gate_, "log.flush_after_roll", flush_in_background());
  co_return ok();
}

// The files of the full segment, and of the new one.
Task<Result<SegmentPtr>> ActiveSegment::begin_segment(SegmentPtr old, Offset base) {
  old->finish_times();
  CO_CHECK(co_await directory_.segments().write_indexes(old));
  CO_CHECK(co_await snapshots_.write(base));
  co_return co_await directory_.segments().create(base);
}

// A gap of more than 2^31 offsets (the source's compaction made it) cannot lie inside a segment. Above the recovery
// point, recovery takes a gap between two segments for lost data. So the recovery point is raised above the gap,
// durably.
Task<Status> ActiveSegment::roll_over_gap(Offset base) {
  CO_CHECK(co_await flusher_.flush());
  if (state_.end > state_.segments.active()->base) CO_CHECK(co_await roll(state_.end));
  if (base == state_.end) co_return ok();
  CO_CHECK(co_await roll(base));
  CO_CHECK(co_await flusher_.flush());
  auto saved = co_await directory_.checkpoint().save(state_.checkpoint(), CheckpointFile::Durability::kDurable);
  if (!saved) co_return health_.die(std::move(saved).error());
  co_return ok();
}

Task<void> ActiveSegment::flush_in_background() { (void)co_await flusher_.flush(); }

}  // namespace farshore
