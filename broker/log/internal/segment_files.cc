#include "broker/log/internal/segment_files.h"

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/write_file.h"

namespace farshore {

using namespace log_format;

std::string SegmentFiles::path(Offset base, std::string_view suffix) const {
  return join_path(directory_, file_name(base, suffix));
}

Task<Result<SegmentPtr>> SegmentFiles::create(Offset base, std::string_view name_suffix) {
  OpenMode mode;
  mode.create = mode.truncate = true;
  std::string name = path(base, kLog).append(name_suffix);
  CO_TRY(auto file, co_await files_.open(name, mode));
  auto segment = std::make_shared<Segment>(base, std::shared_ptr<File>(std::move(file)));
  segment->created_ms = env_.wall_now().milliseconds_since_epoch;
  segment->indexes_in_memory = true;
  segment->newest.emplace();
  segment->txns.emplace();
  co_return segment;
}

Task<Result<SegmentPtr>> SegmentFiles::open(Offset base) {
  CO_TRY(auto file, co_await files_.open(path(base, kLog), OpenMode()));
  co_return std::make_shared<Segment>(base, std::shared_ptr<File>(std::move(file)));
}

// All is encoded before the first wait: another reader that made the same indexes again may clear them from memory
// then.
Task<Status> SegmentFiles::write_offset_and_time_index(SegmentPtr segment) {
  std::string offsets = segment->index.encode(), times = segment->times.encode();
  CO_CHECK(co_await write(segment->base, kOffsetIndex, std::move(offsets)));
  CO_CHECK(co_await write(segment->base, kTimeIndex, std::move(times)));
  segment->note_index_write();
  co_return ok();
}

Task<Status> SegmentFiles::write_indexes(SegmentPtr segment) {
  ensure(segment->txns.has_value(),
         "who writes the indexes has all of them: an empty one says that nothing was aborted");
  std::string txns = segment->txns->encode();
  CO_CHECK(co_await write_offset_and_time_index(segment));
  CO_CHECK(co_await write(segment->base, kTxnIndex, std::move(txns)));
  segment->note_index_write();
  co_return ok();
}

Task<Status> SegmentFiles::write(Offset base, std::string_view suffix, std::string content) {
  return write_file(files_, path(base, suffix), std::move(content), WriteDurability::kCached);
}

Task<Status> SegmentFiles::sync_indexes(SegmentPtr segment) {
  const uint64_t writes = segment->index_writes;
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot}) {
    auto file = co_await files_.open(path(segment->base, suffix), OpenMode());
    if (!file && file.error() == ErrorCode::kNotFound) continue;  // deleted meanwhile, or the first segment's snapshot
    if (!file) co_return std::move(file).error();
    CO_CHECK(co_await (*file)->sync());
  }
  if (writes == segment->index_writes) segment->indexes_dirty = false;
  co_return ok();
}

Task<Status> SegmentFiles::load_indexes(SegmentPtr segment) {
  constexpr size_t kIndexBytesMax = 1 << 30;
  CO_TRY(std::string offsets, co_await read_file(files_, path(segment->base, kOffsetIndex), kIndexBytesMax));
  CO_TRY(std::string times, co_await read_file(files_, path(segment->base, kTimeIndex), kIndexBytesMax));
  CO_TRY(auto index, OffsetIndex::decode(segment->base, offsets, segment->size));
  CO_TRY(auto time_index, TimeIndex::decode(segment->base, times, segment->next));
  segment->index = std::move(index);
  segment->times = std::move(time_index);
  segment->indexes_in_memory = true;
  segment->newest.emplace();
  if (auto last = segment->times.last()) segment->newest = NewestRecord{last->timestamp_ms, last->offset};
  co_return ok();
}

Task<Result<std::shared_ptr<File>>> SegmentFiles::index_file(SegmentPtr segment, std::shared_ptr<File>& slot,
                                                             std::string_view suffix) {
  if (slot) co_return slot;
  CO_TRY(auto file, co_await files_.open(path(segment->base, suffix), OpenMode()));
  if (!slot) slot = std::move(file);  // another coroutine may have been faster
  co_return slot;
}

Task<Status> SegmentFiles::remove(Offset base) {
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot, kLog}) {
    auto removed = co_await files_.remove(path(base, suffix));
    if (!removed && removed.error() != ErrorCode::kNotFound) co_return std::move(removed).error();
  }
  co_return ok();
}

Task<Status> SegmentFiles::swap_in_cleaned(Offset base, std::vector<Offset> replaced) {
  for (Offset old : replaced)
    if (old != base) CO_CHECK(co_await remove(old));
  for (auto suffix : {kOffsetIndex, kTimeIndex, kTxnIndex, kLog}) {
    std::string name = path(base, suffix);
    auto renamed = co_await files_.rename(name + std::string(kCleaned), name);
    if (!renamed && renamed.error() != ErrorCode::kNotFound) co_return renamed;
  }
  co_return co_await files_.sync_dir(directory_);
}

}  // namespace farshore
