#include "broker/log/internal/segment_scan.h"

#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

// nullopt: `batch` is the last good one of the segment.
Task<Result<std::optional<ScannedBatch>>> batch_behind(Reactor& reactor, SegmentPtr segment, ScannedBatch batch,
                                                       uint64_t bytes, BatchScanner::Check check) {
  BatchScanner ahead(reactor, segment->file, batch.end(), bytes, check);
  auto behind = co_await ahead.next();
  if (!behind && behind.error() == ErrorCode::kCorrupt) co_return std::optional<ScannedBatch>();
  co_return behind;
}

// An Error that is kCorrupt: the batch does not follow the batches before it.
Task<Status> check_order(Reactor& reactor, SegmentPtr segment, ScannedBatch batch, uint64_t bytes,
                         BatchScanner::Check check, BatchOrder& order) {
  std::optional<ScannedBatch> behind;
  if (order.wants_behind(batch.header)) {
    CO_TRY(behind, co_await batch_behind(reactor, segment, batch, bytes, check));
  }
  co_return order.check(batch.header, behind ? &behind->header : nullptr);
}

}  // namespace

Task<Result<SegmentScan>> scan_segment(Reactor& reactor, SegmentPtr segment, uint64_t bytes, BatchScanner::Check check,
                                       uint64_t index_interval_bytes, ProducerState* producers, BatchOrder* order) {
  SegmentScan scan;
  segment->forget();
  if (producers) segment->txns.emplace();
  BatchScanner scanner(reactor, segment->file, 0, bytes, check);
  for (;;) {
    auto found = co_await scanner.next();
    if (!found) {
      if (found.error() != ErrorCode::kCorrupt) co_return std::move(found).error();
      scan.bad = std::move(found).error();
      break;
    }
    if (!*found) break;
    const BatchHeader& header = (*found)->header;
    std::string where = segment->file->path() + " at byte " + std::to_string((*found)->position);
    if (header.first() < segment->next || header.last() - segment->base > log_format::kSegmentOffsetsMax) {
      scan.bad = Error(ErrorCode::kCorrupt, where + ": offsets out of order");
      break;
    }
    if (!scan.epochs.empty() && header.epoch() < scan.epochs.back().first) {
      scan.bad = Error(ErrorCode::kCorrupt, where + ": the leader epoch goes back");
      break;
    }
    if (order) {
      auto follows = co_await check_order(reactor, segment, **found, bytes, check, *order);
      if (!follows && follows.error() != ErrorCode::kCorrupt) co_return std::move(follows).error();
      if (!follows) {
        scan.bad = std::move(follows).error().in(where);
        break;
      }
    }
    if (producers && header.control()) {
      CO_TRY(auto batch, co_await scanner.load());
      auto marker = read_marker(header, ConstBytes(batch));
      if (marker) {
        auto done = producers->apply_marker(header, *marker);
        if (done && done->aborted)
          segment->txns->append({{done->producer_id, done->first, done->last}, done->last_stable});
      } else if (marker.error() != ErrorCode::kUnsupported) {
        scan.bad = std::move(marker).error().in(where);
        break;
      }
    } else if (producers) {
      producers->apply(header);
    }
    if (scan.epochs.empty() || scan.epochs.back().first < header.epoch())
      scan.epochs.emplace_back(header.epoch(), header.first());
    segment->note(header, index_interval_bytes);
  }
  segment->indexes_in_memory = true;
  if (!segment->newest) segment->newest.emplace();
  co_return scan;
}

}  // namespace farshore
