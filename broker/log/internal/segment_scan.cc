#include "broker/log/internal/segment_scan.h"

#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

// Checks the order of a segment's batches. It reads ahead with one scanner: every batch may want the one behind it.
class OrderCheck {
 public:
  OrderCheck(Reactor& reactor, SegmentPtr segment, uint64_t bytes, BatchScanner::Check check, BatchOrder& order)
      : reactor_(reactor), segment_(std::move(segment)), bytes_(bytes), check_(check), order_(order) {}

  // An Error that is kCorrupt: the batch does not follow the batches before it.
  Task<Status> run(ScannedBatch batch) {
    std::optional<ScannedBatch> behind;
    if (order_.wants_behind(batch.header)) {
      CO_TRY(behind, co_await batch_behind(batch));
    }
    co_return order_.check(batch.header, behind ? &behind->header : nullptr);
  }

 private:
  // nullopt: `batch` is the last good one of the segment.
  Task<Result<std::optional<ScannedBatch>>> batch_behind(ScannedBatch batch) {
    if (!ahead_) ahead_.emplace(reactor_, segment_->file, batch.end(), bytes_, check_);
    ahead_->go_to(batch.end());
    auto behind = co_await ahead_->next();
    if (!behind && behind.error() == ErrorCode::kCorrupt) co_return std::optional<ScannedBatch>();
    co_return behind;
  }

  Reactor& reactor_;
  const SegmentPtr segment_;
  const uint64_t bytes_;
  const BatchScanner::Check check_;
  BatchOrder& order_;
  std::optional<BatchScanner> ahead_;  // none until a batch is wanted
};

}  // namespace

Task<Result<SegmentScan>> scan_segment(Reactor& reactor, SegmentPtr segment, uint64_t bytes, BatchScanner::Check check,
                                       uint64_t index_interval_bytes, ProducerState* producers, BatchOrder* order) {
  SegmentScan scan;
  segment->forget();
  if (producers) segment->txns.emplace();
  BatchScanner scanner(reactor, segment->file, 0, bytes, check);
  std::optional<OrderCheck> order_check;
  if (order) order_check.emplace(reactor, segment, bytes, check, *order);
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
    if (order_check) {
      auto follows = co_await order_check->run(**found);
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
