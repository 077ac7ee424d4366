#include "broker/log/internal/txn_history.h"

#include <algorithm>

namespace farshore {

bool TxnHistory::aborted(const BatchHeader& header) const {
  if (!header.transactional() || header.control()) return false;
  auto ranges = aborted_.find(header.producer_id);
  if (ranges == aborted_.end()) return false;
  const auto& all = ranges->second;
  auto after = std::upper_bound(all.begin(), all.end(), header.first(),
                                [](Offset offset, const Range& range) { return offset < range.first; });
  return after != all.begin() && header.first() < std::prev(after)->marker;
}

bool TxnHistory::some_open_below(Offset offset) const {
  return std::any_of(open_.begin(), open_.end(), [offset](const auto& txn) { return txn.second < offset; });
}

// True: enough is known, or no more can be remembered.
Task<Result<bool>> TxnHistory::add(BatchHeader header, BatchScanner& scanner) {
  if (!header.control()) {
    if (header.transactional()) open_.emplace(header.producer_id, header.first());
    co_return header.next() >= known_to_ && !some_open_below(known_to_);
  }
  CO_TRY(auto bytes, co_await scanner.load());
  auto marker = read_marker(header, ConstBytes(bytes));
  if (!marker && marker.error() != ErrorCode::kUnsupported) co_return std::move(marker).error();
  auto txn = open_.find(header.producer_id);
  if (marker && txn != open_.end()) {
    if (marker->type == ControlType::kAbort) {
      if (aborted_count_ == aborted_max_) co_return true;
      aborted_[header.producer_id].push_back({txn->second, header.first()});
      ++aborted_count_;
    }
    open_.erase(txn);
  }
  co_return header.next() >= known_to_ && !some_open_below(known_to_);
}

Task<Status> TxnHistory::load() {
  if (loaded_) co_return ok();
  bool enough = false;
  SegmentPtr segment = state_.segments.empty() ? nullptr : state_.segments.first();
  for (; segment && !enough; segment = state_.segments.after(*segment)) {
    BatchScanner scanner(directory_.env(), segment->file, 0, segment->size, BatchScanner::Check::kHeaders);
    while (!enough) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      CO_TRY(enough, co_await add(batch->header, scanner));
    }
  }
  for (const auto& [id, first] : open_) known_to_ = std::min(known_to_, first);
  loaded_ = true;
  co_return ok();
}

}  // namespace farshore
