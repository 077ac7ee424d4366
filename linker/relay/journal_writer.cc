#include "linker/relay/journal_writer.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr int kTooLargeMax = 16;  // halvings: then a batch is one record

Result<std::vector<kafka::KeyedRecord>> encode(const std::vector<TranslationRecord>& records) {
  std::vector<kafka::KeyedRecord> out;
  for (const TranslationRecord& record : records) {
    FARSHORE_TRY(auto encoded, encode_translation(record));
    kafka::KeyedRecord& to = out.emplace_back();
    to.key = std::move(encoded.key);
    to.value = std::move(encoded.value);
  }
  return out;
}

}  // namespace

void JournalWriter::stop_key(JournalKey& key, Error why) {
  if (!key.stopped()) {
    key.failure = why;
    note_failure(key, why);
  }
  last_error_ = std::move(why);
}

// Logged at the first failure of several in a row.
void JournalWriter::note_failure(JournalKey& key, const Error& why) {
  key.write_failed();
  key.checkpoint_at = key.retake_at = env_.now() + key.pause();
  if (key.failures == 1)
    env_.log().error("the map of a relayed partition cannot be written down; it is tried again",
                     {{"source_topic", key.name.source_topic.to_string()},
                      {"partition", key.name.partition.value()},
                      {"error", why}});
  last_error_ = why;
}

Task<Status> JournalWriter::write(JournalKey& key, JournalBatch batch, Deadline deadline) {
  if (batch.records.empty()) co_return ok();
  if (env_.now() >= key.owned_until)
    co_return Error(ErrorCode::kUnavailable,
                    "target: it is not known whether this gateway still owns the partition: the coordinator of its "
                    "transactional id does not answer");
  CO_TRY(auto records, encode(batch.records));
  const std::shared_ptr<JournalLog> log = key.writer;  // kept until it has answered
  auto appended = co_await log->append(std::move(records), std::min(deadline, Deadline(key.owned_until)));
  if (!appended.result) {
    const Error why = std::move(appended.result).error();
    if (appended.in_doubt) key.in_doubt = true;
    if (why == ErrorCode::kInvalidArgument) {
      key.too_large = std::min(key.too_large + 1, kTooLargeMax);
      note_failure(key, why);
    } else {
      stop_key(key, why);
    }
    co_return why;
  }
  key.failures = 0;
  key.too_large = std::max(0, key.too_large - 1);
  auto storing = co_await key.storing.lock();
  Status applied;
  for (TranslationRecord& record : batch.records) {
    if (auto* run = std::get_if<RunRecord>(&record)) key.logged_end = run->run.target_end();
    if (applied) applied = co_await store_.apply(std::move(record));
  }
  key.acknowledged(batch);
  if (applied && !key.behind() && key.in_store) {
    applied = co_await store_.all_logged(key.name);
    if (applied) key.in_store = false;
  }
  if (!key.behind()) key.behind_since.reset();
  if (!applied) {
    key.image_behind = true;
    stop_key(key, applied.error());
  }
  co_return applied;
}

Task<Status> JournalWriter::write_pending(JournalKey& key, Deadline deadline) {
  JournalBatch batch = key.gather(options_.runs_per_batch_max);
  co_return co_await write(key, std::move(batch), deadline);
}

Task<Status> JournalWriter::write_anchor(JournalKey& key, RelayAnchor anchor, Deadline deadline) {
  for (;;) {
    JournalBatch batch = key.gather(options_.runs_per_batch_max);
    const bool last = batch.closed == key.closed.size();
    if (last) {
      batch.anchor = anchor;
      batch.add(key.name, anchor);
    }
    const size_t records = batch.records.size();
    auto written = co_await write(key, std::move(batch), deadline);
    if (!written && written.error() == ErrorCode::kInvalidArgument && records > 1) continue;  // a smaller one
    if (!written || last) co_return written;
  }
}

Task<Status> JournalWriter::lower(JournalKey& key, TargetOffset target, Deadline deadline) {
  // Highest first: a crash in between leaves a claim that is still seen to be too high.
  for (;;) {
    CO_TRY(auto above, co_await store_.runs_above(key.name, target, options_.runs_per_batch_max));
    if (above.empty()) break;
    JournalBatch batch;
    TargetOffset down_to = target;
    for (TranslationRun& run : above) {
      down_to = std::max(run.target, target);
      run.length = std::max<int64_t>(0, target - run.target);
      batch.add(key.name, run);
    }
    CO_CHECK(co_await write(key, std::move(batch), deadline));
    auto storing = co_await key.storing.lock();
    CO_CHECK(co_await store_.lower_claim(key.name, down_to));
  }
  co_return co_await void_anchors_above(key, target, deadline);
}

Task<Status> JournalWriter::void_anchors_above(JournalKey& key, TargetOffset target, Deadline deadline) {
  JournalBatch batch;
  for (const RelayAnchor& anchor : key.anchors) {
    if (anchor.target_from <= target) continue;
    RelayAnchor voided = anchor;
    voided.target_from = kVoidAnchor;
    batch.add(key.name, voided);
    batch.erased_anchors.push_back(anchor);
  }
  co_return co_await write(key, std::move(batch), deadline);
}

Task<Status> JournalWriter::write_erased(JournalKey& key, JournalBatch batch, Deadline deadline) {
  const TargetOffset logged_end = key.logged_end;
  auto written = co_await write(key, std::move(batch), deadline);
  key.logged_end = logged_end;
  co_return written;
}

Task<Status> JournalWriter::forget_below(JournalKey& key, SourceOffset log_start, Deadline deadline) {
  for (bool more = true; more;) {
    CO_TRY(auto first, co_await store_.runs(key.name, SourceOffset(0), options_.runs_per_batch_max));
    JournalBatch batch;
    for (const TranslationRun& run : first) {
      const bool last = key.open && run.source == key.open->source && run.source_epoch == key.open->source_epoch;
      if (run.source_end() > log_start || last) break;
      batch.add(key.name, run, /*erased=*/true);
    }
    more = batch.records.size() == options_.runs_per_batch_max;
    CO_CHECK(co_await write_erased(key, std::move(batch), deadline));
  }
  co_return ok();
}

Task<Status> JournalWriter::forget(JournalKey& key, Deadline deadline) {
  key.closed.clear();
  key.open.reset();
  for (;;) {
    CO_TRY(auto claims, co_await store_.claims(key.name));
    CO_TRY(auto runs, co_await store_.runs(key.name, SourceOffset(0), options_.runs_per_batch_max));
    JournalBatch batch;
    for (const TranslationRun& run : runs) batch.add(key.name, run, /*erased=*/true);
    const size_t anchors = std::min(claims.anchors.size(), JournalKey::kAnchorsPerBatchMax);
    for (size_t i = 0; i < anchors; ++i) batch.erase(key.name, claims.anchors[i]);
    if (batch.records.empty()) co_return ok();
    CO_CHECK(co_await write_erased(key, std::move(batch), deadline));
  }
}

}  // namespace farshore::linker
