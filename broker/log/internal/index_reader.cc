#include "broker/log/internal/index_reader.h"

#include "broker/log/internal/index_search.h"
#include "broker/log/internal/log_format.h"

namespace farshore {

using namespace log_format;

Task<Result<IndexReader::OffsetEntry>> IndexReader::find_offset(
    SegmentPtr segment, std::function<bool(const OffsetIndex::Entry&)> reaches) {
  CO_TRY(auto file, co_await files_.index_file(segment, segment->offset_file, kOffsetIndex));
  std::function<bool(std::string_view)> test = [reaches](std::string_view entry) {
    return reaches(OffsetIndex::decode_entry(entry));
  };
  CO_TRY(auto found, co_await last_index_entry(file, kOffsetEntryBytes, std::move(test)));
  if (!found) co_return OffsetEntry();
  const OffsetIndex::Entry entry = OffsetIndex::decode_entry(*found);
  if (entry.relative_offset > kSegmentOffsetsMax || entry.position >= segment->size)
    co_return Error(ErrorCode::kCorrupt, file->path() + ": an entry beyond the segment");
  co_return OffsetEntry(entry);
}

Task<Result<IndexReader::TimeEntry>> IndexReader::find_time(SegmentPtr segment, int64_t timestamp_ms) {
  CO_TRY(auto file, co_await files_.index_file(segment, segment->time_file, kTimeIndex));
  const Offset base = segment->base;
  std::function<bool(std::string_view)> test = [base, timestamp_ms](std::string_view entry) {
    return TimeIndex::decode_entry(base, entry).timestamp_ms <= timestamp_ms;
  };
  CO_TRY(auto found, co_await last_index_entry(file, kTimeEntryBytes, std::move(test)));
  if (!found) co_return TimeEntry();
  const TimeIndex::Entry entry = TimeIndex::decode_entry(base, *found);
  if (entry.timestamp_ms < 0 || entry.offset < base || entry.offset >= segment->next)
    co_return Error(ErrorCode::kCorrupt, file->path() + ": an entry beyond the segment");
  co_return TimeEntry(entry);
}

Task<Result<IndexReader::OffsetEntry>> IndexReader::at_or_below(SegmentPtr segment, Offset offset) {
  if (segment->indexes_in_memory) co_return segment->index.at_or_below(offset);
  const int64_t relative = offset - segment->base;
  std::function<bool(const OffsetIndex::Entry&)> reaches = [relative](const auto& entry) {
    return entry.relative_offset <= relative;
  };
  co_return co_await find_offset(segment, std::move(reaches));
}

Task<Result<IndexReader::OffsetEntry>> IndexReader::at_or_before(SegmentPtr segment, uint64_t position) {
  if (segment->indexes_in_memory) co_return segment->index.at_or_before(position);
  std::function<bool(const OffsetIndex::Entry&)> reaches = [position](const auto& entry) {
    return entry.position <= position;
  };
  co_return co_await find_offset(segment, std::move(reaches));
}

Task<Result<IndexReader::OffsetEntry>> IndexReader::last(SegmentPtr segment) {
  if (segment->indexes_in_memory) co_return segment->index.last();
  std::function<bool(const OffsetIndex::Entry&)> reaches = [](const auto&) { return true; };
  co_return co_await find_offset(segment, std::move(reaches));
}

Task<Result<IndexReader::TimeEntry>> IndexReader::time_at_or_below(SegmentPtr segment, int64_t timestamp_ms) {
  if (segment->indexes_in_memory) co_return segment->times.at_or_below(timestamp_ms);
  co_return co_await find_time(segment, timestamp_ms);
}

Task<Result<IndexReader::TimeEntry>> IndexReader::last_time(SegmentPtr segment) {
  if (segment->indexes_in_memory) co_return segment->times.last();
  co_return co_await find_time(segment, INT64_MAX);
}

}  // namespace farshore
