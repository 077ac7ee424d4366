#include "broker/log/internal/aborted_txns.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/internal/log_health.h"
#include "broker/log/internal/segment_scan.h"

namespace farshore {
namespace {

constexpr uint64_t kSmallIndexBytes = 1 << 20;  // read whatever the size of the segment: decode() judges it

}  // namespace

Task<Result<std::optional<std::vector<AbortedTxn>>>> AbortedTxns::collect(Offset from, Offset to) {
  std::vector<AbortedTxn> found;
  const uint64_t generation = state_.segments.generation();
  for (SegmentPtr segment = state_.segments.at(from); segment; segment = state_.segments.after(*segment)) {
    auto ready = co_await ensure_index(segment);
    if (generation != state_.segments.generation()) co_return std::nullopt;
    if (!ready) co_return std::move(ready).error();
    if (segment->txns->collect(from, to, found)) break;
  }
  co_return std::optional(std::move(found));
}

Task<Status> AbortedTxns::ensure_index(SegmentPtr segment) {
  if (segment->txns) co_return ok();
  std::string name = log_format::file_name(segment->base, log_format::kTxnIndex);
  CO_TRY(auto content, co_await read_index(*segment, name));
  if (!content) co_return co_await rebuild_index(segment, std::move(name), "it is missing, or larger than its segment");
  auto decoded = TxnIndex::decode(*content, segment->base, segment->next);
  if (!decoded) co_return co_await rebuild_index(segment, std::move(name), decoded.error().detail);
  CO_TRY(bool agrees, co_await agrees_with_log(*decoded));
  if (!agrees) co_return co_await rebuild_index(segment, std::move(name), "it disagrees with the log");
  if (!segment->txns) segment->txns = std::move(decoded).value();
  state_.segments.keep_transactions_of(segment);
  co_return ok();
}

// nullopt: it is missing, or so large that it is wrong: an entry takes fewer bytes than the records it is about.
Task<Result<std::optional<std::string>>> AbortedTxns::read_index(const Segment& segment, std::string name) {
  std::optional<std::string> content;
  std::string path = directory_.path_of(name);
  auto file = co_await directory_.files().open(path, OpenMode());
  if (!file && file.error() == ErrorCode::kNotFound) co_return content;
  if (!file) co_return std::move(file).error();
  const uint64_t bytes_max = std::max<uint64_t>(kSmallIndexBytes, segment.size);
  if ((*file)->size() > bytes_max) co_return content;
  CO_TRY(content, co_await read_file(directory_.files(), std::move(path), bytes_max));
  co_return content;
}

// Every entry must name a marker and, unless retention deleted it, a first batch of the same producer.
Task<Result<bool>> AbortedTxns::agrees_with_log(const TxnIndex& txns) {
  TurnBudget turn(directory_.env());  // many short look-ups, none of which gives way
  for (const auto& entry : txns.entries()) {
    if (turn.spend(kBatchHeaderBytes)) co_await turn.next_turn();
    CO_TRY(auto marker, co_await locator_.header_at(entry.txn.last));
    if (!marker || marker->first() > entry.txn.last || !marker->control() ||
        marker->producer_id != entry.txn.producer_id)
      co_return false;
    if (state_.segments.empty() || entry.txn.first < state_.segments.first()->base) continue;
    CO_TRY(auto first, co_await locator_.header_at(entry.txn.first));
    if (first && first->first() == entry.txn.first && first->producer_id != entry.txn.producer_id) co_return false;
  }
  co_return true;
}

Task<Status> AbortedTxns::rebuild_index(SegmentPtr segment, std::string name, std::string why) {
  if (!rebuild_lock_) rebuild_lock_ = std::make_unique<AsyncMutex>(directory_.env());
  auto guard = co_await rebuild_lock_->lock();
  if (segment->txns) co_return ok();  // another coroutine was faster
  CO_TRY(ProducerState producers, co_await snapshots_.state_at(segment->base));
  auto fresh = std::make_shared<Segment>(segment->base, segment->file);
  CO_TRY(auto scan, co_await scan_segment(directory_.env(), fresh, segment->size, BatchScanner::Check::kHeaders,
                                          state_.options.index_interval_bytes, &producers));
  if (scan.bad) co_return *scan.bad;
  // Durable and whole: an index that a power loss left empty would say that nothing was aborted.
  auto written = co_await replace_file(directory_.files(), directory_.path_of(name), fresh->txns->encode());
  if (!written && !LogHealth::refused(written.error())) co_return written;  // refused: it is in memory for now
  state_.report.rebuilt.push_back(name + ": " + why);
  if (!segment->txns) segment->txns = std::move(fresh->txns);
  state_.segments.keep_transactions_of(segment);
  co_return ok();
}

}  // namespace farshore
