// Opening and creating a log.
#include <algorithm>
#include <charconv>

#include "base/crc32c.h"
#include "broker/log/intent.h"
#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {

LogImpl::LogImpl(Env& env, SlabArena& arena, std::string directory, LogOptions options)
    : env_(env),
      arena_(arena),
      files_(env.files()),
      directory_(std::move(directory)),
      options_(options),
      checkpoint_(env, join_path(directory_, log_format::kCheckpoint)),
      jumps_(env, join_path(directory_, log_format::kJumps)),
      writer_(env),
      epochs_file_(env),
      gate_(env),
      flushed_(env) {}

Task<Result<std::unique_ptr<Log>>> open_log(Env& env, SlabArena& arena, std::string directory, LogOptions options) {
  auto log = std::make_unique<LogImpl>(env, arena, directory, options);
  auto opened = co_await log->open();
  if (!opened) co_return std::move(opened).error().in("opening " + directory);
  co_return std::unique_ptr<Log>(std::move(log));
}

Task<Status> LogImpl::open() {
  CO_CHECK(co_await files_.make_dirs(directory_));
  CO_CHECK(co_await files_.sync_dir(parent_path(directory_)));
  auto why = co_await read_file(files_, path(log_format::kQuarantine));
  if (why) co_return Error(ErrorCode::kCorrupt, "the partition is quarantined: " + *why);
  if (why.error() != ErrorCode::kNotFound) co_return std::move(why).error();
  CO_CHECK(co_await finish_intent());
  CO_TRY(auto names, co_await files_.list(directory_));
  CO_CHECK(co_await remove_leftovers(names));

  std::optional<PartitionCheckpoint> checkpoint;
  auto loaded = co_await checkpoint_.load();
  if (loaded)
    checkpoint = *loaded;
  else if (loaded.error() != ErrorCode::kNotFound && loaded.error() != ErrorCode::kCorrupt)
    co_return std::move(loaded).error();

  CO_CHECK(co_await open_segments(names));
  if (segments_.empty()) {
    Offset start = checkpoint ? checkpoint->log_start : Offset(0);
    if (checkpoint && checkpoint->recovery_point > start)
      co_return co_await quarantine("no segment is left, but offsets below " +
                                    std::to_string(checkpoint->recovery_point.value()) + " were durable");
    co_return co_await create(start);
  }
  log_start_ = checkpoint ? checkpoint->log_start : segments_.begin()->first;
  if (checkpoint) cleaned_to_ = checkpoint->cleaned_to;
  // Retention raises log_start before it deletes: a first segment above it means that one is missing.
  if (segments_.begin()->first > log_start_)
    co_return co_await quarantine("the first segment begins at " + std::to_string(segments_.begin()->first.value()) +
                                  ", the log at " + std::to_string(log_start_.value()));

  bool clean = false;
  if (checkpoint && checkpoint->clean_segment == active()->base &&
      checkpoint->clean_size == static_cast<int64_t>(active()->file->size())) {
    CO_TRY(clean, co_await open_clean(*checkpoint));
  }
  if (!clean) CO_CHECK(co_await recover(checkpoint));

  if (log_start_ > end_) {
    // The start was raised durably, what lay below it and around it was not: nothing readable is lost.
    recovery_.cut_bytes += size_bytes();
    CO_CHECK(co_await remove_all_segments());
    CO_CHECK(co_await create(log_start_));
  }
  high_watermark_ = std::clamp(checkpoint ? checkpoint->high_watermark : log_start_, log_start_, end_);
  producers_.on_high_watermark(high_watermark_);
  // An interrupted deletion is finished here.
  CO_TRY(int deleted, co_await delete_segments_below_start());
  (void)deleted;
  co_return ok();
}

Task<Status> LogImpl::remove_leftovers(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (!name.ends_with(log_format::kCleaned) && !name.ends_with(log_format::kTemporary)) continue;
    CO_CHECK(co_await files_.remove(path(name)));
  }
  co_return ok();
}

Task<Status> LogImpl::open_segments(const std::vector<std::string>& names) {
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (!parsed || parsed->suffix != log_format::kLog) continue;
    CO_TRY(auto file, co_await files_.open(path(name), OpenMode()));
    auto segment = std::make_shared<Segment>(parsed->base, std::shared_ptr<File>(std::move(file)));
    segment->created_ms = now_ms;
    segment->name_synced = true;  // recovery syncs the directory when there is doubt
    segments_.emplace(parsed->base, std::move(segment));
  }
  // Of an old segment the end is known before it is looked at: offsets up to the next base are its.
  for (auto at = segments_.begin(); at != segments_.end(); ++at) {
    Segment& segment = *at->second;
    segment.size = segment.synced_size = segment.file->size();
    if (auto after = std::next(at); after != segments_.end()) segment.next = after->first;
  }
  co_return ok();
}

Task<Result<LogImpl::SegmentPtr>> LogImpl::make_segment(Offset base) {
  OpenMode mode;
  mode.create = mode.truncate = true;
  CO_TRY(auto file, co_await files_.open(path(log_format::file_name(base, log_format::kLog)), mode));
  auto segment = std::make_shared<Segment>(base, std::shared_ptr<File>(std::move(file)));
  segment->created_ms = env_.wall_now().milliseconds_since_epoch;
  segment->indexes_loaded = segment->max_timestamp_known = true;
  segment->txns.emplace();
  co_return segment;
}

Task<Status> LogImpl::create(Offset start) {
  CO_TRY(SegmentPtr segment, co_await make_segment(start));
  segments_.emplace(start, segment);
  log_start_ = end_ = flushed_end_ = high_watermark_ = start;
  // The checkpoint's name first: a segment with a checkpoint is a log, one without is of unknown origin.
  CO_CHECK(co_await save_checkpoint(Durability::kDurable));
  CO_CHECK(co_await files_.sync_dir(directory_));
  segment->name_synced = true;
  co_return ok();
}

Task<Result<bool>> LogImpl::open_clean(const PartitionCheckpoint& checkpoint) {
  SegmentPtr last = active();
  last->next = checkpoint.clean_end;
  auto loaded = co_await load_indexes(env_, directory_, last);
  if (!loaded) co_return false;
  CO_CHECK(co_await ensure_txns(last));
  // Walk what lies behind the last index entry: it must end exactly at the file's end, at the offset that was noted.
  auto entry = last->index.last();
  BatchScanner scanner(last->file, entry ? entry->position : 0, last->size, BatchScanner::Check::kHeaders);
  Offset next = last->base;
  uint64_t bytes = 0;
  for (bool first = true;; first = false) {
    auto batch = co_await scanner.next();
    if (!batch && batch.error() == ErrorCode::kCorrupt) co_return false;
    if (!batch) co_return std::move(batch).error();
    if (!*batch) break;
    const BatchHeader& header = (*batch)->header;
    if (first && entry && header.last() != last->index.offset_of(*entry)) co_return false;
    if (header.first() < next) co_return false;
    if (!entry && first) last->first_timestamp_ms = header.max_timestamp;
    next = header.next();
    bytes += header.size_bytes();
  }
  if (std::max(next, last->base) != checkpoint.clean_end) co_return false;
  last->bytes_since_index = bytes;
  if (entry) {
    std::array<std::byte, kBatchHeaderBytes> raw;
    CO_TRY(size_t n, co_await last->file->read_at(0, raw));
    if (auto header = BatchHeader::parse(ConstBytes(raw).first(n))) last->first_timestamp_ms = header->max_timestamp;
  }
  end_ = flushed_end_ = checkpoint.clean_end;
  CO_TRY(producers_, co_await producers_at(end_));
  CO_CHECK(co_await load_epochs({}, end_, checkpoint.epochs_crc));
  co_return true;
}

Task<Status> LogImpl::remove_all_segments() {
  ++generation_;
  segments_.clear();
  loaded_.clear();
  producers_.clear();
  epochs_.clear();
  CO_TRY(auto names, co_await files_.list(directory_));
  for (const auto& name : names) {
    if (!log_format::parse_file_name(name) && name != log_format::kEpochs) continue;
    auto removed = co_await files_.remove(path(name));
    if (!removed && removed.error() != ErrorCode::kNotFound) co_return removed;
  }
  CO_CHECK(co_await jumps_.clear());
  epochs_dirty_ = false;
  epochs_crc_ = 0;
  co_return co_await files_.sync_dir(directory_);
}

Task<Status> LogImpl::finish_intent() {
  auto text = co_await read_file(files_, path(log_format::kIntent));
  if (!text && text.error() == ErrorCode::kNotFound) co_return ok();
  if (!text) co_return std::move(text).error();
  auto intent = Intent::decode(*text);
  if (!intent) co_return co_await quarantine(intent.error().to_string());
  if (intent->kind == Intent::Kind::kReset) {
    CO_CHECK(co_await remove_all_segments());
    auto old = co_await checkpoint_.load();  // so that the new one is numbered above it
    if (!old && old.error() == ErrorCode::kIo) co_return std::move(old).error();
    CO_CHECK(co_await create(intent->start));
    segments_.clear();  // open() goes on from the files
  } else {
    CO_CHECK(co_await finish_swap(intent->start, intent->replaced));
  }
  CO_CHECK(co_await files_.remove(path(log_format::kIntent)));
  co_return co_await files_.sync_dir(directory_);
}

}  // namespace farshore
