#include "broker/log/internal/producer_snapshots.h"

#include "broker/log/internal/batch_scanner.h"
#include "broker/log/internal/log_format.h"
#include "broker/log/internal/write_file.h"

namespace farshore {

using log_format::file_name;
using log_format::kSnapshot;

Task<Result<ProducerState>> ProducerSnapshots::state_at(Offset at) {
  ProducerState state(state_.options.producers_max);
  CO_TRY(Offset from, co_await load_newest(at, state));
  for (SegmentPtr segment = state_.segments.at(from); segment && segment->base < at;
       segment = state_.segments.after(*segment))
    CO_CHECK(co_await apply_batches(segment, from, at, state));
  co_return state;
}

// Loads the newest readable snapshot at or below `at`, and returns its offset; without one, the first segment's base.
Task<Result<Offset>> ProducerSnapshots::load_newest(Offset at, ProducerState& state) {
  CO_TRY(auto names, co_await directory_.names());
  std::vector<Offset> snapshots;
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (parsed && parsed->suffix == kSnapshot && parsed->base <= at) snapshots.push_back(parsed->base);
  }
  if (state_.segments.empty()) co_return Error(ErrorCode::kConflict, directory_.path() + ": it is being reset");
  const Offset first = state_.segments.first()->base;
  for (; !snapshots.empty() && snapshots.back() >= first; snapshots.pop_back()) {  // names are sorted: newest last
    const std::string name = file_name(snapshots.back(), kSnapshot);
    auto content = co_await read_file(directory_.files(), directory_.path_of(name), ProducerState::kSnapshotBytesMax);
    if (!content && content.error() == ErrorCode::kIo) co_return std::move(content).error();
    // A snapshot is derived: whatever else is wrong with it, an older one and the batches after it say the same.
    auto decoded = content ? ProducerState::decode(*content, state_.options.producers_max) : std::move(content).error();
    if (decoded) {
      state = std::move(decoded).value();
      co_return snapshots.back();
    }
    state_.report.rebuilt.push_back(name + ": " + decoded.error().detail);
  }
  co_return first;
}

Task<Status> ProducerSnapshots::apply_batches(SegmentPtr segment, Offset from, Offset to, ProducerState& state) {
  uint64_t begin = 0;
  if (from > segment->base) {
    CO_TRY(auto place, co_await locator_.locate(segment, from));
    if (!place) co_return ok();
    begin = place->position;
  }
  BatchScanner scanner(directory_.env(), segment->file, begin, segment->size, BatchScanner::Check::kHeaders);
  for (;;) {
    auto batch = co_await scanner.next();
    if (!batch) co_return std::move(batch).error();
    if (!*batch || (*batch)->header.first() >= to) co_return ok();
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

Task<Status> ProducerSnapshots::write(Offset at) {
  return write_file(directory_.files(), directory_.path_of(file_name(at, kSnapshot)), state_.producers.encode(),
                    WriteDurability::kCached);
}

Task<Status> ProducerSnapshots::write_synced(Offset at) {
  return write_file(directory_.files(), directory_.path_of(file_name(at, kSnapshot)), state_.producers.encode(),
                    WriteDurability::kSynced);
}

Task<Status> ProducerSnapshots::remove_stale(Offset end) {
  CO_TRY(auto names, co_await directory_.names());
  for (const auto& name : names) {
    auto parsed = log_format::parse_file_name(name);
    if (!parsed || parsed->suffix != kSnapshot) continue;
    if (parsed->base == end || (parsed->base < end && state_.segments.has_base(parsed->base))) continue;
    CO_CHECK(co_await directory_.remove_if_there(name));
  }
  co_return ok();
}

}  // namespace farshore
