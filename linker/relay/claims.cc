// Claims of the log that are taken back: lowered to what the target still has, forgotten with what the source deleted.
#include <algorithm>

#include "linker/relay/journal_key.h"

namespace farshore::linker {

Task<Status> KafkaRelayJournal::lower(State state, TargetOffset target, Deadline deadline) {
  // Highest first, so that a crash in between leaves a claim that is still seen to be too high.
  for (;;) {
    CO_TRY(auto above, co_await store_.runs_above(state->name, target, options_.runs_per_batch_max));
    if (above.empty()) break;
    Batch batch;
    TargetOffset down_to = target;
    for (TranslationRun& run : above) {
      down_to = std::max(run.target, target);
      run.length = std::max<int64_t>(0, target - run.target);
      batch.records.push_back(record_of(state->name, run));
    }
    CO_CHECK(co_await write(state, std::move(batch), deadline));
    auto storing = co_await state->storing.lock();
    CO_CHECK(co_await store_.lower_claim(state->name, down_to));
  }
  Batch voided;
  for (const RelayAnchor& anchor : state->anchors) {
    if (anchor.target_from <= target) continue;
    AnchorRecord record;
    record.key = state->name;
    record.anchor = anchor;
    record.anchor.target_from = kVoidAnchor;
    voided.records.push_back(std::move(record));
    voided.erased_anchors.push_back(anchor);
  }
  co_return co_await write(state, std::move(voided), deadline);
}

Task<Result<replicator::RelayClaims>> KafkaRelayJournal::lower_claim(PumpKey key, TargetOffset target,
                                                                     Deadline deadline) {
  CO_TRY(State state, co_await taken(key, deadline));
  state->busy = true;
  auto lowered = co_await lower(state, target, deadline);
  auto claims = co_await store_.claims(state->name);
  if (lowered && claims) {
    state->closed.clear();
    state->open = claims->last_run;
    state->open_logged = claims->last_run ? claims->last_run->length : 0;
    state->logged_end = claims->last_run ? claims->last_run->target_end() : TargetOffset(0);
    state->behind_since.reset();
  }
  state->busy = false;
  idle_.notify();
  if (!lowered) co_return std::move(lowered).error();
  if (!claims) co_return std::move(claims).error();
  replicator::RelayClaims out;
  out.anchors = std::move(claims->anchors);
  out.last_run = claims->last_run;
  co_return out;
}

Task<Status> KafkaRelayJournal::erase_records(State state, std::vector<TranslationRecord> records, Deadline deadline) {
  Batch batch;
  for (TranslationRecord& record : records) {
    if (const auto* anchor = std::get_if<AnchorRecord>(&record)) batch.erased_anchors.push_back(anchor->anchor);
    batch.records.push_back(std::move(record));
  }
  const TargetOffset logged_end = state->logged_end;
  auto written = co_await write(state, std::move(batch), deadline);
  state->logged_end = logged_end;
  co_return written;
}

Task<Status> KafkaRelayJournal::forget_below(PumpKey key, SourceOffset log_start, Deadline deadline) {
  CO_TRY(State state, co_await taken(key, deadline));
  state->busy = true;
  Status erased;
  for (bool more = true; more && erased;) {
    auto first = co_await store_.runs(state->name, SourceOffset(0), options_.runs_per_batch_max);
    if (!first) {
      erased = Status(std::move(first).error());
      break;
    }
    more = false;
    std::vector<TranslationRecord> records;
    for (const TranslationRun& run : *first) {
      // The last run stays: it says where the relay goes on.
      const bool last =
          state->open && run.source == state->open->source && run.source_epoch == state->open->source_epoch;
      if (run.source_end() > log_start || last) break;
      RunRecord record = record_of(state->name, run);
      record.erased = true;
      records.push_back(std::move(record));
    }
    more = records.size() == options_.runs_per_batch_max;
    if (!records.empty()) erased = co_await erase_records(state, std::move(records), deadline);
  }
  state->busy = false;
  idle_.notify();
  co_return erased;
}

Task<Status> KafkaRelayJournal::forget(PumpKey key, Deadline deadline) {
  CO_TRY(State state, co_await taken(key, deadline));
  state->busy = true;
  state->closed.clear();
  state->open.reset();
  Status erased;
  while (erased) {
    auto claims = co_await store_.claims(state->name);
    auto runs = co_await store_.runs(state->name, SourceOffset(0), options_.runs_per_batch_max);
    if (!claims || !runs) {
      erased = Status(claims ? std::move(runs).error() : std::move(claims).error());
      break;
    }
    std::vector<TranslationRecord> records;
    for (const TranslationRun& run : *runs) {
      RunRecord record = record_of(state->name, run);
      record.erased = true;
      records.push_back(std::move(record));
    }
    for (size_t i = 0; i < std::min(claims->anchors.size(), kAnchorsPerBatchMax); ++i) {
      AnchorRecord record;
      record.key = state->name;
      record.anchor = claims->anchors[i];
      record.erased = true;
      records.push_back(std::move(record));
    }
    if (records.empty()) break;
    erased = co_await erase_records(state, std::move(records), deadline);
  }
  state->busy = false;
  idle_.notify();
  if (erased) keys_.erase(key);
  co_return erased;
}

}  // namespace farshore::linker
