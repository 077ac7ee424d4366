#include "linker/relay/journal.h"

#include <algorithm>

#include "linker/relay/journal_key.h"

namespace farshore::linker {
namespace {

bool continues(const TranslationRun& a, const TranslationRun& b) {
  return a.source_end() == b.source && a.target_end() == b.target && a.source_epoch == b.source_epoch &&
         a.target_epoch == b.target_epoch;
}

}  // namespace

KafkaRelayJournal::KafkaRelayJournal(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store,
                                     RelayJournalOptions options)
    : env_(env),
      cluster_(cluster),
      store_(store),
      options_(options),
      image_(
          env, cluster, store, [this](const TranslationKey& key) { return written_here(key); },
          [this] { return lacks_something(); }),
      idle_(env),
      wake_(env),
      gate_(env) {}

KafkaRelayJournal::~KafkaRelayJournal() = default;

bool KafkaRelayJournal::written_here(const TranslationKey& name) const {
  const PumpKey& key = name;
  auto it = keys_.find(key);
  if (it == keys_.end() || !it->second->writer || it->second->generation != image_.generation()) return false;
  // One that was fenced is another gateway's; one whose image is behind is repaired by itself.
  return it->second->failure.code == ErrorCode::kNone || it->second->image_behind;
}

bool KafkaRelayJournal::lacks_something() const {
  return std::any_of(keys_.begin(), keys_.end(), [](const auto& each) { return each.second->image_behind; });
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
  where.partition = translation_log_partition(key);
  co_return where;
}

Task<Status> KafkaRelayJournal::idle(State state, Deadline deadline) {
  while (state->busy) CO_CHECK(co_await idle_.wait(deadline));
  co_return ok();
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

Task<Result<replicator::RelayClaims>> KafkaRelayJournal::take_over(PumpKey key, RelayProducer owner,
                                                                   Deadline deadline) {
  State& found = keys_[key];
  if (!found) found = std::make_shared<KeyState>(env_);
  State state = found;
  state->key = key;
  state->name = key;
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
  if (state->image_behind) CO_CHECK(co_await image_.read_key(state->name, deadline));
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
  state->writer = std::make_unique<kafka::FencedWriter>(env_, cluster_, std::move(where), owner);
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

Task<Status> KafkaRelayJournal::bring_up_to_date(PumpKey key, Deadline deadline) {
  auto it = keys_.find(key);
  const TranslationKey name = key;
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
  const TranslationKey name = key;
  co_return co_await store_.to_target(name, offset, epoch);
}

Task<Result<offsets::Translated>> KafkaRelayJournal::to_source(PumpKey key, TargetOffset offset, Deadline deadline) {
  CO_CHECK(co_await bring_up_to_date(key, deadline));
  const TranslationKey name = key;
  co_return co_await store_.to_source(name, offset);
}

Task<Result<offsets::Claims>> KafkaRelayJournal::claims(PumpKey key, Deadline deadline) {
  CO_CHECK(co_await bring_up_to_date(key, deadline));
  const TranslationKey name = key;
  co_return co_await store_.claims(name);
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
