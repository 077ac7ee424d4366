// Recovery: what is on the disk after an unclean end, and making the derived state from it again.
#include <algorithm>

#include "base/crc32c.h"
#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {

using log_format::file_name;

// Above the recovery point offsets and epochs go on one after the other, or jump as it was noted.
struct LogImpl::Continuity final : ScanJudge {
  Offset recovery_point, log_start, next;
  LogEpoch epoch{-1};
  std::vector<Jump> jumps;
  EpochCache begun;  // as leader-epoch-checkpoint says

  Status check(const BatchHeader& header) override {
    const bool known = header.first() < recovery_point || header.last() < log_start;  // durable, or never read
    const bool noted = std::find(jumps.begin(), jumps.end(), Jump{next, header.first(), header.epoch()}) != jumps.end();
    // Epochs that ended below the log start are forgotten.
    const bool forgotten = !begun.entries().empty() && header.first() < begun.entries().front().start &&
                           header.epoch() <= begun.entries().front().epoch;
    const bool began = header.epoch() == epoch || forgotten || begun.at(header.first()) == header.epoch();
    if (!known && !noted && (header.first() != next || !began))
      return Error(ErrorCode::kCorrupt, "offset " + std::to_string(header.base_offset) + " epoch " +
                                            std::to_string(header.partition_leader_epoch) + " follow offset " +
                                            std::to_string(next.value()) + " epoch " + std::to_string(epoch.value()));
    next = header.next();
    epoch = std::max(epoch, header.epoch());
    return ok();
  }
};

Task<Error> LogImpl::quarantine(std::string why) {
  env_.log().error("a partition is quarantined: damage below its recovery point",
                   {{"directory", directory_}, {"why", why}});
  // Nothing is cut or moved: somebody must decide (FORMAT.md). The mark keeps the next start from thinking otherwise.
  auto marked = co_await replace_file(files_, path(log_format::kQuarantine), why + "\n");
  if (!marked)
    env_.log().error("the quarantine could not be noted", {{"directory", directory_}, {"error", marked.error()}});
  co_return Error(ErrorCode::kCorrupt, "quarantined: " + why);
}

Task<Status> LogImpl::recover(std::optional<PartitionCheckpoint> checkpoint) {
  recovery_.clean = false;
  const Offset recovery_point =
      std::max(checkpoint ? checkpoint->recovery_point : segments_.begin()->first, segments_.begin()->first);
  // Segments that end below the recovery point were durable: a look at their ends is enough.
  auto at = segments_.begin();
  for (; std::next(at) != segments_.end() && std::next(at)->first <= recovery_point; ++at)
    CO_CHECK(co_await check_durable_segment(at->second, std::next(at)->first));

  const Offset scanned_from = at->first;
  CO_TRY(producers_, co_await producers_at(scanned_from));
  std::vector<std::pair<LogEpoch, Offset>> epochs;
  Continuity continuity;
  continuity.recovery_point = recovery_point;
  continuity.log_start = log_start_;
  continuity.next = scanned_from;
  CO_TRY(continuity.jumps, co_await jumps_.load());
  auto epoch_text = co_await read_file(files_, path(log_format::kEpochs));
  if (epoch_text) {
    if (auto begun = EpochCache::decode(*epoch_text)) continuity.begun = std::move(begun).value();
  }
  for (; at != segments_.end(); ++at) {
    SegmentPtr segment = at->second;
    const uint64_t file_size = segment->file->size();
    CO_TRY(auto scan,
           co_await scan_segment(segment, file_size, BatchScanner::Check::kCrc, options_.index_interval_bytes,
                                 &producers_, checkpoint ? &continuity : nullptr));
    recovery_.scanned_bytes += segment->size;
    bool epoch_back = !scan.epochs.empty() && !epochs.empty() && scan.epochs.front().first < epochs.back().first;
    auto next_base = std::next(at) == segments_.end() ? std::nullopt : std::optional(std::next(at)->first);
    if (!scan.bad && (epoch_back || (next_base && segment->next > *next_base)))
      co_return co_await quarantine(segment->file->path() + ": does not fit its neighbours");
    // Above the recovery point segments follow each other without a gap: a power loss can drop whole batches at the end
    // of one and keep the next one. (Without a checkpoint the files are somebody else's, who may leave gaps.)
    if (!scan.bad && next_base && checkpoint && segment->next < *next_base)
      scan.bad =
          Error(ErrorCode::kCorrupt, segment->file->path() + ": ends at " + std::to_string(segment->next.value()) +
                                         " before the next segment begins");
    epochs.insert(epochs.end(), scan.epochs.begin(), scan.epochs.end());
    if (scan.bad) {
      if (segment->next < recovery_point)
        co_return co_await quarantine(scan.bad->detail + "; offsets below " + std::to_string(recovery_point.value()) +
                                      " were durable");
      recovery_.cut_bytes += file_size - segment->size;
      env_.log().warn("cut a torn tail",
                      {{"directory", directory_}, {"why", scan.bad->detail}, {"end", segment->next}});
      CO_CHECK(co_await cut_after(segment));
      break;
    }
    if (next_base) {
      segment->finish_times();
      CO_CHECK(co_await write_indexes(env_, directory_, segment));
      segment->next = *next_base;
    }
  }
  end_ = std::max(active()->next, active()->base);
  if (end_ < recovery_point)
    co_return co_await quarantine("the log ends at " + std::to_string(end_.value()) + ", but offsets below " +
                                  std::to_string(recovery_point.value()) + " were durable");

  // What was read back may still be only in the page cache; and a cut must not come undone under new appends.
  for (const auto& [base, segment] : segments_) {
    if (segment->next < scanned_from && segment != active()) continue;
    auto synced = co_await segment->file->sync();
    if (!synced) co_return die(std::move(synced).error());
  }
  CO_CHECK(co_await load_epochs(epochs, scanned_from, std::nullopt));
  CO_CHECK(co_await remove_snapshots(end_));
  CO_CHECK(co_await files_.sync_dir(directory_));
  for (const auto& [base, segment] : segments_) segment->synced_size = segment->size;
  flushed_end_ = end_;
  if (checkpoint) high_watermark_ = std::clamp(checkpoint->high_watermark, std::min(log_start_, end_), end_);
  CO_CHECK(co_await save_checkpoint(Durability::kDurable));
  CO_CHECK(co_await jumps_.clear());
  env_.log().info("recovered a log", {{"directory", directory_},
                                      {"scanned_bytes", recovery_.scanned_bytes},
                                      {"cut_bytes", recovery_.cut_bytes},
                                      {"end", end_}});
  co_return ok();
}

Task<Status> LogImpl::check_durable_segment(SegmentPtr segment, Offset next_base) {
  auto loaded = co_await load_indexes(env_, directory_, segment);
  uint64_t from = 0;
  if (loaded) {
    if (auto entry = segment->index.last()) from = entry->position;
  } else if (loaded.error() != ErrorCode::kCorrupt && loaded.error() != ErrorCode::kNotFound) {
    co_return loaded;
  }
  for (;;) {
    BatchScanner scanner(segment->file, from, segment->size, BatchScanner::Check::kHeaders);
    std::string why;
    for (;;) {
      auto batch = co_await scanner.next();
      if (!batch && batch.error() != ErrorCode::kCorrupt) co_return std::move(batch).error();
      if (!batch) why = batch.error().detail;
      if (!batch || !*batch) break;
      if ((*batch)->header.next() > next_base) why = segment->file->path() + ": reaches into the next segment";
    }
    if (why.empty()) co_return ok();
    if (from == 0) co_return co_await quarantine(std::move(why));
    from = 0;  // the index may be what is wrong: believe the log
    segment->indexes_loaded = false;
    CO_CHECK(co_await rebuild_indexes(segment, why));
  }
}

Task<Status> LogImpl::cut_after(SegmentPtr segment) {
  ++generation_;
  while (active() != segment) {
    SegmentPtr last = active();
    recovery_.cut_bytes += last->file->size();
    CO_CHECK(co_await remove_segment_files(env_, directory_, last->base));
    segments_.erase(last->base);
  }
  co_return co_await segment->file->truncate(segment->size);
}

Task<Result<ProducerState>> LogImpl::producers_at(Offset at) {
  CO_TRY(auto names, co_await files_.list(directory_));
  std::vector<Offset> snapshots;
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (parsed && parsed->suffix == log_format::kSnapshot && parsed->base <= at) snapshots.push_back(parsed->base);
  }
  ProducerState state;
  Offset from = segments_.begin()->first;
  while (!snapshots.empty() && snapshots.back() >= from) {  // listed in order: the newest is last
    auto content = co_await read_file(files_, path(file_name(snapshots.back(), log_format::kSnapshot)));
    if (!content && content.error() != ErrorCode::kNotFound) co_return std::move(content).error();
    auto decoded = content ? ProducerState::decode(*content) : std::move(content).error();
    if (decoded) {
      state = std::move(decoded).value();
      from = snapshots.back();
      break;
    }
    recovery_.rebuilt.push_back(file_name(snapshots.back(), log_format::kSnapshot) + ": " + decoded.error().detail);
    snapshots.pop_back();
  }
  for (SegmentPtr segment = segment_at(from); segment && segment->base < at; segment = segment_after(*segment)) {
    uint64_t begin = 0;
    if (from > segment->base) {
      CO_TRY(auto place, co_await locate(segment, from));
      if (!place) continue;
      begin = place->position;
    }
    BatchScanner scanner(segment->file, begin, segment->size, BatchScanner::Check::kHeaders);
    for (;;) {
      auto batch = co_await scanner.next();
      if (!batch) co_return std::move(batch).error();
      if (!*batch || (*batch)->header.first() >= at) break;
      const BatchHeader& header = (*batch)->header;
      if (!header.has_producer() || header.first() < from) continue;
      if (!header.control()) {
        state.apply(header);
        continue;
      }
      CO_TRY(auto bytes, co_await scanner.load());
      auto marker = read_marker(header, ConstBytes(bytes));
      if (marker) (void)state.apply_marker(header, *marker);
    }
  }
  co_return state;
}

Task<Result<bool>> LogImpl::epochs_agree(const EpochCache& cache) {
  const auto& entries = cache.entries();
  const Offset first = std::max(segments_.begin()->first, std::min(log_start_, end_));
  CO_TRY(auto oldest, co_await header_at(first));
  if (oldest && oldest->epoch() >= LogEpoch(0) && cache.at(std::max(oldest->first(), first)) != oldest->epoch())
    co_return false;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Offset start = std::max(entries[i].start, first);
    const Offset stop = i + 1 < entries.size() ? entries[i + 1].start : end_;
    if (start >= stop) continue;
    // The first and the last batch of an epoch have it; epochs never go back, so all between have it too.
    CO_TRY(auto begin, co_await header_at(start));
    if (begin && begin->first() < stop &&
        (begin->epoch() != entries[i].epoch || (i > 0 && begin->first() < start && start == entries[i].start)))
      co_return false;
    CO_TRY(auto last, co_await header_at(stop - 1));
    if (last && last->first() < stop && last->epoch() != entries[i].epoch) co_return false;
  }
  co_return true;
}

Task<Result<EpochCache>> LogImpl::epochs_from_log() {
  EpochCache cache;
  for (const auto& [base, segment] : segments_) {
    BatchScanner scanner(segment->file, 0, segment->size, BatchScanner::Check::kHeaders);
    for (;;) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      if (batch->header.epoch() > cache.latest()) cache.assign(batch->header.epoch(), batch->header.first());
    }
  }
  co_return cache;
}

Task<Status> LogImpl::load_epochs(const std::vector<std::pair<LogEpoch, Offset>>& scanned, Offset scanned_from,
                                  std::optional<uint32_t> trusted_crc) {
  auto content = co_await read_file(files_, path(log_format::kEpochs));
  if (!content && content.error() != ErrorCode::kNotFound) co_return std::move(content).error();
  std::string text = content ? *content : std::string();
  epochs_crc_ = text.empty() ? 0 : crc32c(as_bytes(text));
  auto decoded = content ? EpochCache::decode(text) : EpochCache();
  if (decoded && trusted_crc && *trusted_crc == epochs_crc_) {
    epochs_ = std::move(decoded).value();
    co_return ok();
  }
  // The file may be older than the log, newer, or wrong: it is believed as far as the log agrees.
  EpochCache found;
  std::vector<EpochCache::Entry> begun;  // epochs that began at the end and have no batch yet
  if (decoded) {
    for (const auto& entry : decoded->entries()) {
      if (entry.start < scanned_from || (scanned_from == end_ && entry.start == end_))
        found.assign(entry.epoch, entry.start);
      else if (entry.start <= end_)
        begun.push_back(entry);
    }
  }
  for (const auto& [epoch, start] : scanned)
    if (epoch > found.latest()) found.assign(epoch, start);
  for (const auto& entry : begun)
    if (entry.epoch > found.latest() && entry.start == end_) found.assign(entry.epoch, entry.start);
  bool agree = decoded.has_value();
  if (agree) {
    CO_TRY(agree, co_await epochs_agree(found));
  }
  if (!agree) {
    CO_TRY(found, co_await epochs_from_log());
    if (content) recovery_.rebuilt.push_back(std::string(log_format::kEpochs) + ": it disagrees with the log");
  }
  epochs_ = std::move(found);
  epochs_.truncate_start(log_start_);
  if (epochs_.encode() == text || (text.empty() && epochs_.entries().empty())) co_return ok();
  co_return co_await save_epochs();
}

}  // namespace farshore
