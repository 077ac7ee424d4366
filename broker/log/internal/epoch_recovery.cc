#include "broker/log/internal/epoch_recovery.h"

#include <algorithm>

#include "broker/log/internal/batch_scanner.h"
#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

Result<EpochCache> decode(const std::optional<std::string>& text) {
  return text ? EpochCache::decode(*text) : EpochCache();
}

}  // namespace

Task<Status> EpochRecovery::load_trusted(uint32_t file_crc) {
  CO_TRY(Text text, co_await state_.epochs.load_text());
  auto decoded = decode(text);
  if (decoded && file_crc == state_.epochs.file_crc()) {
    state_.epochs.set(std::move(decoded).value());
    co_return ok();
  }
  co_return co_await check_and_save(std::move(text), {}, state_.end);
}

Task<Status> EpochRecovery::load(Scanned scanned, Offset scanned_from) {
  CO_TRY(Text text, co_await state_.epochs.load_text());
  co_return co_await check_and_save(std::move(text), std::move(scanned), scanned_from);
}

Task<Status> EpochRecovery::check_and_save(Text text, Scanned scanned, Offset scanned_from) {
  auto decoded = decode(text);
  bool agrees = decoded.has_value();
  EpochCache found;
  if (agrees) {
    found = merge(*decoded, scanned, scanned_from);
    CO_TRY(agrees, co_await agrees_with_log(found));
  }
  if (!agrees) {
    CO_TRY(found, co_await read_from_log());
    if (text) state_.report.rebuilt.push_back(std::string(log_format::kEpochs) + ": it disagrees with the log");
  }
  found.truncate_start(state_.log_start);
  const bool same = found.encode() == text.value_or("") || (text.value_or("").empty() && found.entries().empty());
  state_.epochs.set(std::move(found));
  if (same) co_return ok();
  co_return co_await state_.epochs.save();
}

// The file below `scanned_from`, what the scan saw above it, and an epoch of the file that begins at the log's end and
// has no batch yet.
EpochCache EpochRecovery::merge(const EpochCache& file, const Scanned& scanned, Offset scanned_from) const {
  EpochCache merged;
  std::vector<EpochCache::Entry> at_end;
  for (const auto& entry : file.entries()) {
    if (entry.start < scanned_from || (scanned_from == state_.end && entry.start == state_.end))
      merged.assign(entry.epoch, entry.start);
    else if (entry.start == state_.end)
      at_end.push_back(entry);
  }
  for (const auto& [epoch, start] : scanned)
    if (epoch > merged.latest()) merged.assign(epoch, start);
  for (const auto& entry : at_end)
    if (entry.epoch > merged.latest()) merged.assign(entry.epoch, entry.start);
  return merged;
}

// Epochs never go back. So if the first and the last batch of an epoch have it, all batches between have it, too.
Task<Result<bool>> EpochRecovery::agrees_with_log(const EpochCache& cache) {
  const auto& entries = cache.entries();
  const Offset first = std::max(state_.segments.first()->base, std::min(state_.log_start, state_.end));
  CO_TRY(auto oldest, co_await locator_.header_at(first));
  if (oldest && oldest->epoch() >= LogEpoch(0) && cache.at(std::max(oldest->first(), first)) != oldest->epoch())
    co_return false;
  TurnBudget turn(directory_.env());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (turn.spend(kBatchHeaderBytes)) co_await turn.next_turn();
    const Offset start = std::max(entries[i].start, first);
    const Offset stop = i + 1 < entries.size() ? entries[i + 1].start : state_.end;
    if (start >= stop) continue;
    CO_TRY(auto begin, co_await locator_.header_at(start));
    if (begin && begin->first() < stop &&
        (begin->epoch() != entries[i].epoch || (i > 0 && begin->first() < start && start == entries[i].start)))
      co_return false;
    CO_TRY(auto last, co_await locator_.header_at(stop - 1));
    if (last && last->first() < stop && last->epoch() != entries[i].epoch) co_return false;
  }
  co_return true;
}

Task<Result<EpochCache>> EpochRecovery::read_from_log() {
  EpochCache cache;
  for (const auto& [base, segment] : state_.segments.all()) {
    BatchScanner scanner(directory_.env(), segment->file, 0, segment->size, BatchScanner::Check::kHeaders);
    for (;;) {
      CO_TRY(auto batch, co_await scanner.next());
      if (!batch) break;
      if (batch->header.epoch() > cache.latest()) cache.assign(batch->header.epoch(), batch->header.first());
    }
  }
  co_return cache;
}

}  // namespace farshore
