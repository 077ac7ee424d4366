#include "linker/relay/journal.h"

#include <algorithm>
#include <utility>

namespace farshore::linker {
namespace {

TopicPartition log_partition(int32_t partition) {
  TopicPartition where;
  where.topic = kTranslationTopic;
  where.partition = partition;
  return where;
}

replicator::RelayClaims to_relay_claims(offsets::Claims claims) {
  replicator::RelayClaims out;
  out.anchors = std::move(claims.anchors);
  out.last_run = claims.last_run;
  return out;
}

Error not_taken_over() { return {ErrorCode::kFenced, "the partition was not taken over by this gateway"}; }

}  // namespace

KafkaRelayJournal::KafkaRelayJournal(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store,
                                     RelayJournalOptions options)
    : env_(env),
      cluster_(cluster),
      store_(store),
      options_(options),
      image_(
          env, cluster, store,
          [this](const LinkPartition& key, kafka::ProducerIdentity writer) { return written_here(key, writer); },
          [this] { return image_lacks_something(); }),
      idle_(env),
      writer_(env, store, options_),
      checkpoints_(env, store, options_, image_, writer_, keys_, idle_) {}

KafkaRelayJournal::~KafkaRelayJournal() = default;

void KafkaRelayJournal::start() { checkpoints_.start(); }

Task<void> KafkaRelayJournal::stop() {
  idle_.close();
  co_await checkpoints_.stop();
}

KafkaRelayJournal::KeyPtr KafkaRelayJournal::taken_over(const LinkPartition& key) const {
  auto found = keys_.find(key);
  return found == keys_.end() || !found->second->writer || found->second->lost ? nullptr : found->second;
}

bool KafkaRelayJournal::written_here(const LinkPartition& name, kafka::ProducerIdentity writer) const {
  auto found = keys_.find(name);
  if (found == keys_.end()) return false;
  const JournalKey& key = *found->second;
  if (key.image_behind) return key.writer != nullptr;  // JournalCheckpoints reads it anew, and nobody else meanwhile
  return key.written_by == writer && !key.lost && key.generation == image_.generation();
}

bool KafkaRelayJournal::image_lacks_something() const {
  return std::any_of(keys_.begin(), keys_.end(), [](const auto& each) { return each.second->image_behind; });
}

Task<Result<TopicPartition>> KafkaRelayJournal::log_of(LinkPartition key, Deadline deadline) {
  CO_CHECK(co_await image_.open(deadline));
  co_return log_partition(translation_log_partition(key));
}

Task<Status> KafkaRelayJournal::until_idle(KeyPtr key, Deadline deadline) {
  while (key->busy) CO_CHECK(co_await idle_.wait(deadline));
  co_return ok();
}

Task<Result<JournalTurn>> KafkaRelayJournal::turn_of(LinkPartition pump, Deadline deadline) {
  auto found = keys_.find(pump);
  if (found == keys_.end()) co_return not_taken_over();
  KeyPtr key = found->second;
  CO_CHECK(co_await until_idle(key, deadline));
  if (key->stopped()) co_return key->failure;
  if (!key->writer) co_return not_taken_over();
  co_return JournalTurn(env_, idle_, key);
}

std::shared_ptr<JournalLog> KafkaRelayJournal::log_for(const LinkPartition& key, kafka::ProducerIdentity owner) {
  const int32_t partition = translation_log_partition(key);
  std::shared_ptr<JournalLog>& newest = logs_[{key.link, partition}];
  if (!newest || newest->owner() != owner)
    newest = std::make_shared<JournalLog>(env_, cluster_, log_partition(partition), owner, options_.runs_per_batch_max);
  return newest;
}

Task<Result<replicator::RelayClaims>> KafkaRelayJournal::take_over(LinkPartition pump, replicator::RelayLogWriter by,
                                                                   MonoTime owned_until, Deadline deadline) {
  KeyPtr& found = keys_[pump];
  if (!found) found = std::make_shared<JournalKey>(env_, pump);
  KeyPtr key = found;
  // A write of the former takeover may be on its way. It ends soon: answered, or fenced by the marker.
  key->failure = Error(ErrorCode::kUnavailable, "the partition is being taken over");
  CO_CHECK(co_await until_idle(key, deadline));
  const JournalTurn turn(env_, idle_, key);
  std::shared_ptr<JournalLog> log = std::exchange(key->writer, nullptr);
  // The same writer as before, which has the log to itself: nothing is to be read.
  const bool goes_on = log && log->owner() == by.producer && key->written_by && !key->lost && !key->in_doubt &&
                       !key->image_behind && !by.former && !by.former_has_stopped &&
                       key->generation == image_.generation();
  if (!log || log->owner() != by.producer) log = log_for(pump, by.producer);
  if (!log->usable())
    co_return Error(ErrorCode::kAmbiguous, "it is not known what was written to the log of record last");
  CO_CHECK(co_await image_.open(deadline));
  {
    auto storing = co_await key->storing.lock();
    CO_CHECK(co_await store_.drop_unlogged(key->name));
  }
  if (!goes_on) CO_CHECK(co_await read_log(*key, *log, by, deadline));
  CO_TRY(offsets::Claims claims, co_await store_.claims(key->name));
  key->continue_at(claims);
  key->anchors = claims.anchors;
  key->in_store = key->overflowed = key->image_behind = key->lost = key->in_doubt = false;
  key->written_by = by.producer;
  key->failure = {};
  key->owned_until = owned_until;
  key->writer = std::move(log);
  co_return to_relay_claims(std::move(claims));
}

void KafkaRelayJournal::owned_until(const LinkPartition& pump, MonoTime until) {
  if (const KeyPtr key = taken_over(pump)) key->owned_until = std::max(key->owned_until, until);
}

void KafkaRelayJournal::lost(const LinkPartition& pump, const Error& fenced) {
  const KeyPtr key = taken_over(pump);
  if (!key) return;
  key->failure = fenced;
  key->lost = key->image_behind = true;
  key->owned_until = MonoTime();
  checkpoints_.wake();
}

std::optional<Error> KafkaRelayJournal::wants_takeover(const LinkPartition& pump) {
  const KeyPtr key = taken_over(pump);
  if (!key || !key->stopped() || key->image_behind || env_.now() < key->retake_at) return std::nullopt;
  key->retake_at = env_.now() + key->pause();
  if (key->failure == ErrorCode::kFenced) return key->failure;  // who has the partition is found out by the link
  return Error(ErrorCode::kUnavailable,
               "its map is not written down, so the partition is taken over again: " + key->failure.to_string());
}

// The log alone decides: runs that were acknowledged and not written are found at the target again, and written then.
Task<Status> KafkaRelayJournal::read_log(JournalKey& key, JournalLog& log, replicator::RelayLogWriter by,
                                         Deadline deadline) {
  const int32_t partition = translation_log_partition(key.name);
  key.written_by.reset();
  if (!log.read_into)
    CO_CHECK(co_await image_.read_to_marker(partition, by.producer, deadline));
  else if (*log.read_into != image_.generation())  // emptied since
    CO_CHECK(co_await image_.read_to_end(partition, deadline));
  log.read_into = image_.generation();
  if (by.former) CO_CHECK(co_await image_.read_to_marker(partition, *by.former, deadline));
  if (by.former_has_stopped) CO_CHECK(co_await image_.read_to_end(partition, deadline));
  if (key.image_behind || key.in_doubt) CO_CHECK(co_await image_.read_key(key.name, nullptr, deadline));
  key.generation = image_.generation();
  co_return ok();
}

void KafkaRelayJournal::relayed(const LinkPartition& pump, const TranslationRun& run) {
  const KeyPtr key = taken_over(pump);
  if (!key || run.length <= 0 || key->overflowed) return;
  if (!key->add(run, options_.runs_pending_max))
    return writer_.stop_key(*key, Error(ErrorCode::kResourceExhausted,
                                        "target: more than " + std::to_string(options_.runs_pending_max) +
                                            " translations are not acknowledged by " + std::string(kTranslationTopic) +
                                            ": check that topic's leaders and disk"));
  if (key->behind_since) return;
  key->behind_since = env_.now();
  checkpoints_.wake();
}

Task<Status> KafkaRelayJournal::write_anchor(LinkPartition pump, RelayAnchor anchor, Deadline deadline) {
  CO_TRY(const JournalTurn turn, co_await turn_of(pump, deadline));
  co_return co_await writer_.write_anchor(*turn, anchor, deadline);
}

Task<Result<replicator::RelayClaims>> KafkaRelayJournal::lower_claim(LinkPartition pump, TargetOffset target,
                                                                     Deadline deadline) {
  CO_TRY(const JournalTurn turn, co_await turn_of(pump, deadline));
  CO_CHECK(co_await writer_.lower(*turn, target, deadline));
  CO_TRY(offsets::Claims claims, co_await store_.claims(turn->name));
  turn->continue_at(claims);
  co_return to_relay_claims(std::move(claims));
}

Task<Status> KafkaRelayJournal::forget_below(LinkPartition pump, SourceOffset log_start, Deadline deadline) {
  CO_TRY(const JournalTurn turn, co_await turn_of(pump, deadline));
  co_return co_await writer_.forget_below(*turn, log_start, deadline);
}

Task<Status> KafkaRelayJournal::forget(LinkPartition pump, Deadline deadline) {
  CO_TRY(const JournalTurn turn, co_await turn_of(pump, deadline));
  CO_CHECK(co_await writer_.forget(*turn, deadline));
  keys_.erase(pump);
  co_return ok();
}

Task<Status> KafkaRelayJournal::bring_image_up_to_date(LinkPartition pump, Deadline deadline) {
  const int32_t partition = translation_log_partition(pump);
  auto found = keys_.find(pump);
  if (found != keys_.end() && found->second->lost && found->second->image_behind)
    co_return Error(ErrorCode::kUnavailable,
                    "another gateway took the partition over: its map is read again; ask again");
  KeyPtr key = taken_over(pump);
  if (!key) co_return co_await image_.read_to_end(partition, deadline);
  if (key->generation != image_.generation()) {
    const uint64_t generation = image_.generation();
    CO_CHECK(co_await image_.read_to_end(partition, deadline));
    key->generation = generation;
  }
  co_return co_await put_unlogged(std::move(key));
}

Task<Status> KafkaRelayJournal::put_unlogged(KeyPtr key) {
  auto storing = co_await key->storing.lock();  // never held while the log is waited for
  if (!key->behind() || !key->writer) co_return ok();
  Status put;
  const std::deque<TranslationRun> closed = key->closed;
  const std::optional<TranslationRun> open = key->open;
  key->in_store = true;
  for (auto run = closed.begin(); put && run != closed.end(); ++run)
    put = co_await store_.put_unlogged(key->name, *run, key->logged_end);
  if (put && open) put = co_await store_.put_unlogged(key->name, *open, key->logged_end);
  co_return put;
}

Task<Result<offsets::Translated>> KafkaRelayJournal::to_target(LinkPartition key, SourceOffset offset,
                                                               std::optional<LogEpoch> epoch, Deadline deadline) {
  CO_CHECK(co_await bring_image_up_to_date(key, deadline));
  co_return co_await store_.to_target(key, offset, epoch);
}

Task<Result<offsets::Translated>> KafkaRelayJournal::to_source(LinkPartition key, TargetOffset offset,
                                                               Deadline deadline) {
  CO_CHECK(co_await bring_image_up_to_date(key, deadline));
  co_return co_await store_.to_source(key, offset);
}

Task<Result<offsets::Claims>> KafkaRelayJournal::claims(LinkPartition key, Deadline deadline) {
  CO_CHECK(co_await bring_image_up_to_date(key, deadline));
  co_return co_await store_.claims(key);
}

std::optional<TargetOffset> KafkaRelayJournal::relayed_end(const LinkPartition& pump) const {
  const KeyPtr key = taken_over(pump);
  if (!key) return std::nullopt;
  return key->open ? key->open->target_end() : TargetOffset(0);
}

RelayJournalStatus KafkaRelayJournal::status() const {
  RelayJournalStatus out;
  for (const auto& entry : keys_) {
    const JournalKey& key = *entry.second;
    if (!key.writer || key.lost) continue;
    ++out.keys;
    if (key.stopped()) ++out.keys_stopped;
    if (!key.behind()) continue;
    ++out.keys_behind;
    if (key.behind_since) out.lag = std::max(out.lag, env_.now() - *key.behind_since);
  }
  out.last_error = writer_.last_error();
  return out;
}

}  // namespace farshore::linker
