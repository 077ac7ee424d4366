// Compaction: of every key the latest record stays. Cleans whole segments below the active one; readers and appends go
// on meanwhile. Topics with transactional batches are refused, not half cleaned.
#include <algorithm>
#include <unordered_map>

#include "broker/log/intent.h"
#include "broker/log/log_format.h"
#include "broker/log/log_impl.h"

namespace farshore {
namespace {

using namespace log_format;

constexpr size_t kKeyMemoryBytesMax = 128 << 20;  // of one pass; more keys take more passes
constexpr size_t kKeyOverheadBytes = 64;          // of a map entry, about
constexpr size_t kWriteBytes = 1 << 20;

// Appends batches to a file in large pieces.
class BatchWriter {
 public:
  explicit BatchWriter(std::shared_ptr<File> file) : file_(std::move(file)) {}
  Task<Status> add(std::vector<std::byte> batch) {
    buffer_.insert(buffer_.end(), batch.begin(), batch.end());
    if (buffer_.size() < kWriteBytes) co_return ok();
    co_return co_await flush();
  }
  Task<Status> flush() {
    ConstBytes piece(buffer_);
    if (!buffer_.empty()) CO_CHECK(co_await file_->write_at(written_, ConstBytesList(&piece, 1)));
    written_ += buffer_.size();
    buffer_.clear();
    co_return ok();
  }

 private:
  std::shared_ptr<File> file_;
  std::vector<std::byte> buffer_;
  uint64_t written_ = 0;
};

}  // namespace

// The latest offset of each key in [dirty start, end).
struct LogImpl::Keys {
  std::unordered_map<std::string, Offset> latest;
  size_t bytes = 0;
  Offset end;
  int64_t now_ms = 0, horizon_ms = 0;
  std::map<int64_t, Offset> last_of_producer;  // last offset of the newest batch of each known producer

  bool superseded(const Record& record) const {
    if (!record.key) return false;
    auto found = latest.find(std::string(*record.key));
    return found != latest.end() && found->second > record.offset;
  }
};

Task<Result<uint64_t>> LogImpl::clean() {
  CO_CHECK(usable());
  if (options_.cleanup_policy == CleanupPolicy::kDelete || options_.follows_source || cleaning_) co_return 0;
  Inside inside(gate_);
  cleaning_ = true;
  auto cleaned = co_await clean_pass();
  cleaning_ = false;
  co_return cleaned;
}

Task<Result<uint64_t>> LogImpl::clean_pass() {
  const uint64_t generation = generation_;
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  // Only what is durable: recovery takes gaps between segments for lost data above the recovery point.
  CO_CHECK(co_await flush_to_end());
  CO_CHECK(co_await save_checkpoint(Durability::kDurable));
  const Offset stable = std::min(ends().last_stable, flushed_end_);
  std::vector<SegmentPtr> cleanable;
  uint64_t clean_bytes = 0, dirty_bytes = 0;
  for (const auto& [base, segment] : segments_) {
    if (is_active(segment) || segment->next > stable) break;
    if (options_.min_compaction_lag_ms > 0 && now_ms - segment->max_timestamp_ms < options_.min_compaction_lag_ms)
      break;
    (segment->next <= cleaned_to_ ? clean_bytes : dirty_bytes) += segment->size;
    cleanable.push_back(segment);
  }
  if (dirty_bytes == 0) co_return 0;
  if (static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes) < options_.min_cleanable_ratio)
    co_return 0;

  Keys keys;
  keys.now_ms = now_ms;
  keys.horizon_ms = now_ms + options_.delete_retention_ms;
  keys.end = cleaned_to_;
  size_t count = 0;
  for (; count < cleanable.size(); ++count) {
    if (cleanable[count]->next <= cleaned_to_) continue;
    CO_TRY(bool fits, co_await read_keys(cleanable[count], keys));
    if (generation != generation_) co_return 0;  // cut or deleted meanwhile: another time
    if (!fits) break;
    keys.end = cleanable[count]->next;
  }
  if (keys.end == cleaned_to_)
    co_return Error(ErrorCode::kResourceExhausted, "the keys of one segment need more than " +
                                                       std::to_string(kKeyMemoryBytesMax) + " bytes: " + directory_);
  cleanable.resize(count);
  for (const auto& producer : producers_.last_offsets()) keys.last_of_producer.insert(producer);

  uint64_t removed = 0;
  for (size_t i = 0; i < cleanable.size();) {
    // Small neighbours become one segment.
    std::vector<SegmentPtr> group;
    uint64_t bytes = 0;
    for (; i < cleanable.size(); ++i) {
      const SegmentPtr& next = cleanable[i];
      if (!group.empty() &&
          (bytes + next->size > options_.segment_bytes || next->next - group.front()->base > kSegmentOffsetsMax))
        break;
      bytes += next->size;
      group.push_back(next);
    }
    CO_TRY(uint64_t less, co_await clean_group(std::move(group), keys));
    removed += less;
  }
  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  cleaned_to_ = std::min(keys.end, end_);
  CO_CHECK(co_await save_checkpoint(Durability::kCached));
  co_return removed;
}

Task<Result<bool>> LogImpl::read_keys(SegmentPtr segment, Keys& keys) {
  BatchScanner scanner(segment->file, 0, segment->size, BatchScanner::Check::kCrc);
  for (;;) {
    CO_TRY(auto batch, co_await scanner.next());
    if (!batch) co_return true;
    const BatchHeader& header = batch->header;
    if (header.transactional() || header.control())
      co_return Error(ErrorCode::kUnsupported, directory_ + ": compaction of transactional batches (offset " +
                                                   std::to_string(header.base_offset) + ")");
    if (header.last() < cleaned_to_ || header.record_count == 0) continue;
    CO_TRY(auto bytes, co_await scanner.load());
    CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
    Record record;
    for (;;) {
      CO_TRY(bool more, reader.next(record));
      if (!more) break;
      if (!record.key) continue;
      auto [at, added] = keys.latest.insert_or_assign(std::string(*record.key), record.offset);
      if (added) keys.bytes += at->first.size() + kKeyOverheadBytes;
      if (keys.bytes > kKeyMemoryBytesMax) co_return false;
    }
  }
}

Task<Result<uint64_t>> LogImpl::clean_group(std::vector<SegmentPtr> group, const Keys& keys) {
  const uint64_t generation = generation_;
  const Offset base = group.front()->base;
  uint64_t before = 0;
  for (const auto& segment : group) before += segment->size;
  OpenMode mode;
  mode.create = mode.truncate = true;
  std::string name = file_name(base, kLog) + std::string(kCleaned);
  CO_TRY(auto file, co_await files_.open(path(name), mode));
  auto cleaned = std::make_shared<Segment>(base, std::shared_ptr<File>(std::move(file)));
  cleaned->txns.emplace();
  cleaned->indexes_loaded = cleaned->max_timestamp_known = true;
  cleaned->created_ms = group.front()->created_ms;
  auto written = co_await write_cleaned(group, keys, cleaned);
  if (!written || (group.size() == 1 && cleaned->size == before)) {
    (void)co_await files_.remove(path(name));
    if (!written) co_return std::move(written).error();
    co_return 0;
  }
  cleaned->finish_times();
  const std::pair<std::string_view, std::string> indexes[] = {
      {kOffsetIndex, cleaned->index.encode()}, {kTimeIndex, cleaned->times.encode()}, {kTxnIndex, std::string()}};
  for (const auto& [suffix, content] : indexes) {
    std::string index_name = file_name(base, suffix) + std::string(kCleaned);
    CO_CHECK(co_await write_file(files_, path(index_name), content, true));
  }
  CO_CHECK(co_await cleaned->file->sync());

  auto guard = co_await writer_.lock();
  CO_CHECK(usable());
  if (generation != generation_) co_return 0;  // the next pass, or the next start, removes the leftovers
  Intent intent;
  intent.kind = Intent::Kind::kSwap;
  intent.start = base;
  for (const auto& segment : group) intent.replaced.push_back(segment->base);
  auto noted = co_await replace_file(files_, path(kIntent), intent.encode());
  if (!noted && noted.error() == ErrorCode::kNoSpace) co_return std::move(noted).error();
  if (!noted) co_return die(std::move(noted).error());
  ++generation_;
  cleaned->next = group.back()->next;
  cleaned->synced_size = cleaned->size;
  cleaned->name_synced = true;
  for (const auto& segment : group) segments_.erase(segment->base);
  segments_[base] = cleaned;
  auto swapped = co_await finish_swap(base, intent.replaced);
  if (swapped) swapped = co_await files_.remove(path(kIntent));
  if (swapped) swapped = co_await files_.sync_dir(directory_);
  if (!swapped) co_return die(std::move(swapped).error());
  co_return before - std::min(before, cleaned->size);
}

Task<Status> LogImpl::write_cleaned(std::vector<SegmentPtr> group, const Keys& keys, SegmentPtr cleaned) {
  BatchWriter writer(cleaned->file);
  for (const auto& segment : group) {
    BatchScanner scanner(segment->file, 0, segment->size, BatchScanner::Check::kCrc);
    for (;;) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      const BatchHeader& header = batch->header;
      CO_TRY(auto bytes, co_await scanner.load());
      CO_TRY(auto reader, RecordReader::open(header, ConstBytes(bytes)));
      const bool tombstones_end = header.has_delete_horizon() && header.base_timestamp <= keys.now_ms;
      BatchBuilder rewritten;
      rewritten.like(header);
      bool has_tombstone = false, changed = false;
      // Two passes: the delete horizon goes in before the records (KIP-534: it is set when tombstones are first met).
      Record record;
      for (bool more = true; more;) {
        CO_TRY(more, reader.next(record));
        if (!more) break;
        bool drop = keys.superseded(record) || (!record.value && tombstones_end);
        changed |= drop;
        has_tombstone |= !drop && !record.value;
      }
      const bool set_horizon = has_tombstone && !header.has_delete_horizon();
      if (!changed && !set_horizon) {
        cleaned->note(header, options_.index_interval_bytes);
        CO_CHECK(co_await writer.add(std::move(bytes)));
        continue;
      }
      if (set_horizon) rewritten.delete_horizon(keys.horizon_ms);
      CO_TRY(auto second, RecordReader::open(header, ConstBytes(bytes)));
      for (bool more = true; more;) {
        CO_TRY(more, second.next(record));
        if (!more) break;
        if (keys.superseded(record) || (!record.value && tombstones_end)) continue;
        rewritten.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
      }
      if (rewritten.record_count() == 0) {
        auto last = keys.last_of_producer.find(header.producer_id);
        if (!header.has_producer() || last == keys.last_of_producer.end() || last->second != header.last()) continue;
      }
      std::vector<std::byte> built = rewritten.build();
      CO_TRY(auto new_header, BatchHeader::parse(built));
      cleaned->note(new_header, options_.index_interval_bytes);
      CO_CHECK(co_await writer.add(std::move(built)));
    }
  }
  co_return co_await writer.flush();
}

Task<Status> LogImpl::finish_swap(Offset base, std::vector<Offset> replaced) {
  for (Offset old : replaced)
    if (old != base) CO_CHECK(co_await remove_segment_files(env_, directory_, old));
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kLog}) {
    std::string final_name = file_name(base, suffix);
    std::string cleaned_name = final_name + std::string(kCleaned);
    auto renamed = co_await files_.rename(path(cleaned_name), path(final_name));
    if (!renamed && renamed.error() != ErrorCode::kNotFound) co_return renamed;
  }
  co_return co_await files_.sync_dir(directory_);
}

}  // namespace farshore
