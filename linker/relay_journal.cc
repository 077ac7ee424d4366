#include "linker/relay_journal.h"

#include <algorithm>

#include "base/async_mutex.h"

namespace farshore::linker {
namespace {

constexpr size_t kAnchorsPerBatchMax = 200;
constexpr Duration kRound = milliseconds(100);  // how often the checkpoint loop looks

TranslationKey key_of(const replicator::PumpKey& key) {
  TranslationKey out;
  out.link = key.link;
  out.source_topic = key.source_topic;
  out.partition = key.partition;
  return out;
}

bool continues(const TranslationRun& a, const TranslationRun& b) {
  return a.source_end() == b.source && a.target_end() == b.target && a.source_epoch == b.source_epoch &&
         a.target_epoch == b.target_epoch;
}

RunRecord record_of(const TranslationKey& key, const TranslationRun& run) {
  RunRecord record;
  record.key = key;
  record.run = run;
  return record;
}

Result<std::vector<KeyedRecord>> encode(const std::vector<TranslationRecord>& records) {
  std::vector<KeyedRecord> out;
  for (const TranslationRecord& record : records) {
    FARSHORE_TRY(auto encoded, encode_translation(record));
    KeyedRecord& to = out.emplace_back();
    to.key = std::move(encoded.key);
    to.value = std::move(encoded.value);
  }
  return out;
}

}  // namespace

struct KafkaRelayJournal::KeyState {
  explicit KeyState(Reactor& reactor) : storing(reactor) {}

  PumpKey key;
  TranslationKey name;
  std::unique_ptr<FencedWriter> writer;  // none: not taken over
  bool busy = false;                     // a batch is on its way, or the key is being taken over
  AsyncMutex storing;                    // the store has one writer at a time for a key
  Error failure;                         // nothing more is written until the next takeover
  bool overflowed = false;               // nothing more is remembered either

  // What was acknowledged and is not in the log: whole runs, then the open one, of which `open_logged` is.
  std::deque<TranslationRun> closed;
  std::optional<TranslationRun> open;
  int64_t open_logged = 0;
  TargetOffset logged_end;           // all claims of the log end here
  bool in_store = false;             // the store holds runs that the log does not
  bool image_behind = false;         // the store refused what the log took: it is read from there again
  std::vector<RelayAnchor> anchors;  // in the log, in the order of writing
  MonoTime checkpoint_at{};          // not before
  std::optional<MonoTime> behind_since;
  uint64_t generation = 0;  // of the image that this key was read into

  bool behind() const { return !closed.empty() || (open && open->length > open_logged); }
};

struct KafkaRelayJournal::Batch {
  std::vector<TranslationRecord> records;
  std::vector<RelayAnchor> erased_anchors;
  size_t closed = 0;                   // so many of the front
  std::optional<TranslationRun> open;  // as it was written
  std::optional<RelayAnchor> anchor;
};

KafkaRelayJournal::KafkaRelayJournal(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store,
                                     RelayJournalOptions options)
    : env_(env),
      cluster_(cluster),
      store_(store),
      options_(options),
      image_(env, cluster, store, [this](const TranslationKey& key) { return written_here(key); }),
      idle_(env),
      wake_(env),
      gate_(env) {}

KafkaRelayJournal::~KafkaRelayJournal() = default;

bool KafkaRelayJournal::written_here(const TranslationKey& name) const {
  const PumpKey key{name.link, name.source_topic, name.partition};
  auto it = keys_.find(key);
  if (it == keys_.end() || !it->second->writer || it->second->generation != image_.generation()) return false;
  // One that was fenced is another gateway's; one whose image is behind is repaired by itself.
  return it->second->failure.code == ErrorCode::kNone || it->second->image_behind;
}

void KafkaRelayJournal::start() { spawn(gate_, "relay journal", checkpoint_loop()); }

Task<void> KafkaRelayJournal::stop() {
  stopping_ = true;
  wake_.close();
  idle_.close();
  co_await gate_.close();
}

Task<Result<TopicPartition>> KafkaRelayJournal::log_of(PumpKey key, Deadline deadline) {
  CO_CHECK(co_await image_.open(deadline));
  TopicPartition where;
  where.topic = kTranslationTopic;
  where.partition = translation_log_partition(key_of(key));
  co_return where;
}

Task<Status> KafkaRelayJournal::idle(State state, Deadline deadline) {
  while (state->busy) CO_CHECK(co_await idle_.wait(deadline));
  co_return ok();
}

Task<Result<replicator::RelayClaims>> KafkaRelayJournal::take_over(PumpKey key, RelayProducer owner,
                                                                   Deadline deadline) {
  State& found = keys_[key];
  if (!found) found = std::make_shared<KeyState>(env_);
  State state = found;
  state->key = key;
  state->name = key_of(key);
  // A checkpoint of the former takeover may be on its way; the marker has fenced it, so it ends soon.
  state->failure = Error(ErrorCode::kUnavailable, "the partition is being taken over");
  CO_CHECK(co_await idle(state, deadline));
  state->busy = true;
  struct Idle {
    KafkaRelayJournal& journal;
    KeyState& state;
    ~Idle() {
      state.busy = false;
      if (!journal.env_.dead()) journal.idle_.notify();
    }
  } idle_again{*this, *state};
  state->writer.reset();
  const int32_t partition = translation_log_partition(state->name);
  // The log alone decides: what was acknowledged and not written down is found at the target again, and written then.
  CO_CHECK(co_await image_.open(deadline));
  {
    auto storing = co_await state->storing.lock();
    CO_CHECK(co_await store_.drop_unlogged(state->name));
  }
  CO_CHECK(co_await image_.read_to_marker(partition, owner, deadline));
  state->generation = image_.generation();
  CO_TRY(offsets::Claims claims, co_await store_.claims(state->name));
  state->closed.clear();
  state->open = claims.last_run;
  state->open_logged = claims.last_run ? claims.last_run->length : 0;
  state->logged_end = claims.last_run ? claims.last_run->target_end() : TargetOffset(0);
  state->anchors = claims.anchors;
  state->in_store = state->overflowed = state->image_behind = false;
  state->behind_since.reset();
  state->failure = {};
  TopicPartition where;
  where.topic = kTranslationTopic;
  where.partition = partition;
  state->writer = std::make_unique<FencedWriter>(env_, cluster_, std::move(where), owner);
  replicator::RelayClaims out;
  out.anchors = std::move(claims.anchors);
  out.last_run = claims.last_run;
  co_return out;
}

void KafkaRelayJournal::stopped(KeyState& state, Error why) {
  if (state.failure.code == ErrorCode::kNone) {
    state.failure = why;
    env_.log().error("the map of a relayed partition is not written down any more",
                     {{"source_topic", state.key.source_topic.to_string()},
                      {"partition", state.key.partition.value()},
                      {"error", why}});
  }
  last_error_ = std::move(why);
}

void KafkaRelayJournal::relayed(const PumpKey& key, const TranslationRun& run) {
  auto it = keys_.find(key);
  if (it == keys_.end() || run.length <= 0 || it->second->overflowed || !it->second->writer) return;
  KeyState& state = *it->second;
  if (state.open && continues(*state.open, run)) {
    state.open->length += run.length;
  } else {
    if (state.open && state.open->length > state.open_logged) {
      if (state.closed.size() >= options_.runs_pending_max) {
        state.overflowed = true;
        stopped(state,
                Error(ErrorCode::kResourceExhausted,
                      "more than " + std::to_string(options_.runs_pending_max) +
                          " runs wait to be written down: " + std::string(kTranslationTopic) + " does not take them"));
        return;
      }
      state.closed.push_back(*state.open);
    }
    state.open = run;
    state.open_logged = 0;
  }
  if (state.behind_since) return;
  state.behind_since = env_.now();
  wake_.notify();
}

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

Task<Result<KafkaRelayJournal::State>> KafkaRelayJournal::taken(PumpKey key, Deadline deadline) {
  auto it = keys_.find(key);
  if (it == keys_.end()) co_return Error(ErrorCode::kFenced, "the partition was not taken over by this gateway");
  State state = it->second;
  CO_CHECK(co_await idle(state, deadline));
  if (state->failure.code != ErrorCode::kNone) co_return state->failure;
  if (!state->writer) co_return Error(ErrorCode::kFenced, "the partition was not taken over by this gateway");
  co_return state;
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

Task<Status> KafkaRelayJournal::bring_up_to_date(PumpKey key, Deadline deadline) {
  auto it = keys_.find(key);
  const TranslationKey name = key_of(key);
  const int32_t partition = translation_log_partition(name);
  if (it == keys_.end() || !it->second->writer) co_return co_await image_.read_to_end(partition, deadline);
  State state = it->second;
  if (state->generation != image_.generation()) {
    const uint64_t generation = image_.generation();
    CO_CHECK(co_await image_.read_to_end(partition, deadline));
    state->generation = generation;
  }
  auto storing = co_await state->storing.lock();  // never held while the log is waited for
  if (!state->behind() || !state->writer) co_return ok();
  Status put;
  const std::deque<TranslationRun> closed = state->closed;
  const std::optional<TranslationRun> open = state->open;
  state->in_store = true;
  for (auto run = closed.begin(); put && run != closed.end(); ++run)
    put = co_await store_.put_unlogged(state->name, *run, state->logged_end);
  if (put && open) put = co_await store_.put_unlogged(state->name, *open, state->logged_end);
  co_return put;
}

Task<Result<offsets::Translated>> KafkaRelayJournal::to_target(PumpKey key, SourceOffset offset,
                                                               std::optional<LogEpoch> epoch, Deadline deadline) {
  CO_CHECK(co_await bring_up_to_date(key, deadline));
  const TranslationKey name = key_of(key);
  co_return co_await store_.to_target(name, offset, epoch);
}

Task<Result<offsets::Translated>> KafkaRelayJournal::to_source(PumpKey key, TargetOffset offset, Deadline deadline) {
  CO_CHECK(co_await bring_up_to_date(key, deadline));
  const TranslationKey name = key_of(key);
  co_return co_await store_.to_source(name, offset);
}

Task<Result<offsets::Claims>> KafkaRelayJournal::claims(PumpKey key, Deadline deadline) {
  CO_CHECK(co_await bring_up_to_date(key, deadline));
  const TranslationKey name = key_of(key);
  co_return co_await store_.claims(name);
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

std::optional<TargetOffset> KafkaRelayJournal::relayed_end(const PumpKey& key) const {
  auto it = keys_.find(key);
  if (it == keys_.end() || !it->second->writer) return std::nullopt;
  return it->second->open ? it->second->open->target_end() : TargetOffset(0);
}

RelayJournalStatus KafkaRelayJournal::status() const {
  RelayJournalStatus out;
  for (const auto& [key, state] : keys_) {
    if (!state->writer) continue;
    ++out.keys;
    if (state->failure.code != ErrorCode::kNone) ++out.keys_stopped;
    if (!state->behind()) continue;
    ++out.keys_behind;
    if (state->behind_since) out.lag = std::max(out.lag, env_.now() - *state->behind_since);
  }
  out.last_error = last_error_;
  return out;
}

}  // namespace farshore::linker
