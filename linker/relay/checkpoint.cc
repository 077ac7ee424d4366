// What was relayed becomes records of the log: checkpoints while it grows, anchors, and the image behind them.
#include <algorithm>

#include "linker/relay/journal_key.h"

namespace farshore::linker {
namespace {

constexpr Duration kRound = milliseconds(100);  // how often the checkpoint loop looks

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

KafkaRelayJournal::Batch KafkaRelayJournal::gather(KeyState& state) const {
  Batch batch;
  batch.closed = std::min(state.closed.size(), options_.runs_per_batch_max);
  for (size_t i = 0; i < batch.closed; ++i) batch.records.push_back(record_of(state.name, state.closed[i]));
  const bool all = batch.closed == state.closed.size();
  if (all && state.open && state.open->length > state.open_logged) {
    batch.open = state.open;
    batch.records.push_back(record_of(state.name, *state.open));
  }
  // Anchors before the newest one that a written run has reached: all their records stand below that run's end, and
  // nobody will look for them at the target again.
  const TranslationRun* last = nullptr;
  if (!batch.records.empty()) last = &std::get<RunRecord>(batch.records.back()).run;
  if (!last) return batch;
  size_t reached = 0;
  for (size_t i = 0; i < state.anchors.size(); ++i) {
    const RelayAnchor& anchor = state.anchors[i];
    if (anchor.source_epoch == last->source_epoch && anchor.source < last->source_end() &&
        anchor.target_from < last->target_end())
      reached = i;
  }
  for (size_t i = 0; i < std::min(reached, kAnchorsPerBatchMax); ++i) {
    AnchorRecord record;
    record.key = state.name;
    record.anchor = state.anchors[i];
    record.erased = true;
    batch.erased_anchors.push_back(state.anchors[i]);
    batch.records.push_back(std::move(record));
  }
  return batch;
}

// `busy` is the caller's. The image follows the log: it is changed when the batch is acknowledged.
Task<Status> KafkaRelayJournal::write(State state, Batch batch, Deadline deadline) {
  if (batch.records.empty()) co_return ok();
  CO_TRY(auto records, encode(batch.records));
  auto written = co_await state->writer->append(std::move(records), deadline);
  if (!written) {
    Error why = std::move(written).error();
    stopped(*state, why);
    co_return why;
  }
  auto storing = co_await state->storing.lock();
  Status applied;
  for (TranslationRecord& record : batch.records) {
    if (auto* run = std::get_if<RunRecord>(&record)) state->logged_end = run->run.target_end();
    if (applied) applied = co_await store_.apply(std::move(record));
  }
  state->closed.erase(state->closed.begin(), state->closed.begin() + static_cast<std::ptrdiff_t>(batch.closed));
  if (batch.open) {
    auto same = [&](const TranslationRun& run) {
      return run.source == batch.open->source && run.target == batch.open->target &&
             run.source_epoch == batch.open->source_epoch;
    };
    if (state->open && same(*state->open)) {
      state->open_logged = batch.open->length;
    } else if (!state->closed.empty() && same(state->closed.front()) &&
               state->closed.front().length == batch.open->length) {
      state->closed.pop_front();  // it closed while it was written, and did not grow
    }
  }
  if (batch.anchor) state->anchors.push_back(*batch.anchor);
  std::erase_if(state->anchors, [&](const RelayAnchor& anchor) {
    return std::find(batch.erased_anchors.begin(), batch.erased_anchors.end(), anchor) != batch.erased_anchors.end();
  });
  if (applied && !state->behind() && state->in_store) {
    applied = co_await store_.all_logged(state->name);
    if (applied) state->in_store = false;
  }
  if (!state->behind()) state->behind_since.reset();
  if (!applied) {  // the local disk; the log of record has it
    state->image_behind = true;
    stopped(*state, applied.error());
  }
  co_return applied;
}

Task<Status> KafkaRelayJournal::write_anchor(PumpKey key, RelayAnchor anchor, Deadline deadline) {
  CO_TRY(State state, co_await taken(key, deadline));
  state->busy = true;
  Status written;
  do {
    Batch batch = gather(*state);
    const bool last = batch.closed == state->closed.size();
    if (last) {
      AnchorRecord record;
      record.key = state->name;
      record.anchor = anchor;
      batch.anchor = anchor;
      batch.records.push_back(std::move(record));
    }
    written = co_await write(state, std::move(batch), deadline);
    if (last) break;
  } while (written);
  state->busy = false;
  idle_.notify();
  co_return written;
}

Task<void> KafkaRelayJournal::checkpoint(State state) {
  while (!stopping_ && state->failure.code == ErrorCode::kNone && state->behind()) {
    Batch batch = gather(*state);
    auto written = co_await write(state, std::move(batch), env_.in(options_.checkpoint_limit));
    if (!written || state->closed.size() < options_.runs_per_batch_max) break;
  }
  state->busy = false;
  --writes_in_flight_;
  idle_.notify();
  wake_.notify();
}

// The local disk may have room again: what it refused is in the log.
Task<void> KafkaRelayJournal::repair_image(State state) {
  const TranslationKey name = state->name;
  auto read = co_await image_.read_key(name, env_.in(options_.checkpoint_limit));
  if (read && state->in_store && !state->behind()) {
    auto storing = co_await state->storing.lock();
    read = co_await store_.all_logged(state->name);
    if (read) state->in_store = false;
  }
  if (read && state->image_behind) {
    state->image_behind = false;
    if (state->writer) state->failure = {};
    env_.log().info(
        "the map of a relayed partition is written down again",
        {{"source_topic", state->key.source_topic.to_string()}, {"partition", state->key.partition.value()}});
  }
  state->busy = false;
  --writes_in_flight_;
  idle_.notify();
  wake_.notify();
}

Task<void> KafkaRelayJournal::checkpoint_loop() {
  while (!stopping_) {
    bool behind = false;
    for (auto& [key, state] : keys_) {
      behind = behind || (state->behind() && state->failure.code == ErrorCode::kNone) || state->image_behind;
      if (writes_in_flight_ >= options_.writes_in_flight_max) break;
      if (state->image_behind && !state->busy && env_.now() >= state->checkpoint_at) {
        state->checkpoint_at = env_.now() + options_.checkpoint_every;
        state->busy = true;
        ++writes_in_flight_;
        if (!spawn(gate_, "relay image", repair_image(state))) co_return;
        continue;
      }
      if (state->busy || !state->writer || state->failure.code != ErrorCode::kNone || !state->behind()) continue;
      const bool many = state->closed.size() >= options_.runs_per_batch_max;
      if (env_.now() < state->checkpoint_at && !many) continue;
      state->checkpoint_at = env_.now() + options_.checkpoint_every;
      state->busy = true;
      ++writes_in_flight_;
      if (!spawn(gate_, "relay checkpoint", checkpoint(state))) co_return;
    }
    (void)co_await wake_.wait(behind ? env_.in(kRound) : Deadline::never());
  }
}

}  // namespace farshore::linker
