#include "replicator/fetcher.h"

#include <algorithm>

#include "proto/kafka/constants.h"
#include "replicator/log_ranges.h"

namespace farshore::replicator {
namespace {

using Code = kafka::ErrorCode;
constexpr size_t kResponseBytesMin = 256 << 10;
constexpr double kWayBytesPerSecond = 500e6;  // the fastest way that a window is made for
constexpr int32_t kHeldWaitMs = 100, kFullWaitMs = 5;

}  // namespace

Fetcher::Fetcher(Env& env, kafka::ClusterClient& source, int32_t broker, SlabArena& arena, Budget& budget,
                 const FetcherOptions& options, FetcherOwner& owner)
    : env_(env),
      source_(source),
      broker_(broker),
      budget_(budget),
      options_(options),
      owner_(owner),
      slabs_(arena),
      stopping_(env),
      wake_(env),
      catch_up_(env, source, broker, arena, budget, options, static_cast<CatchUpOwner&>(*this)),
      gate_(env),
      response_bytes_max_(options.response_bytes_max) {}

Fetcher::~Fetcher() = default;

Fetcher::Entry* Fetcher::find(const TopicId& topic, int32_t partition) {
  auto it = entries_.find({topic, partition});
  return it == entries_.end() ? nullptr : &it->second;
}

void Fetcher::mark(Entry& entry) { changed_.insert(id_of(entry.at.key)); }

void Fetcher::add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch) {
  remove(pump.key());
  session_.rejoins(pump.key());
  ids_by_name_[topic] = pump.key().source_topic.value();
  Entry& entry = entries_[id_of(pump.key())];
  entry.pump = &pump;
  entry.at.key = pump.key();
  entry.at.topic = std::move(topic);
  entry.at.leader_epoch = leader_epoch;
  mark(entry);
  wake_.notify();
}

void Fetcher::remove(const LinkPartition& key) {
  auto it = entries_.find(id_of(key));
  if (it == entries_.end()) return;
  catch_up_.remove(key);
  session_.leave(it->second.at, it->second.session);
  changed_.erase(it->first);
  full_ones_.erase(it->first);
  held_.erase(it->first);
  out_of_range_.erase(it->first);
  entries_.erase(it);
}

void Fetcher::changed(const LinkPartition& key) {
  if (Entry* entry = find(key.source_topic.value(), key.partition.value())) {
    mark(*entry);
    catch_up_.changed(key);
    wake_.notify();
  }
}

void Fetcher::hold(Entry& entry, Error error) {
  uncover(entry);
  entry.held_until = env_.now() + options_.partition_backoff;
  entry.error = std::move(error);
  held_.insert(id_of(entry.at.key));
  mark(entry);
}

void Fetcher::release_held() {
  for (auto it = held_.begin(); it != held_.end();) {
    Entry& entry = entries_.at(*it);
    if (env_.now() < entry.held_until) {
      ++it;
      continue;
    }
    mark(entry);
    it = held_.erase(it);
  }
}

void Fetcher::forget_session() {
  session_.reset();
  for (auto& [id, entry] : entries_) {
    uncover(entry);
    entry.session = {};
    mark(entry);
  }
}

MonoTime Fetcher::known_as_of(const Entry& entry) const {
  const MonoTime heard = std::max(entry.heard, catch_up_.known_as_of(entry.at.key));
  return entry.covered_from <= known_as_of_ ? std::max(heard, known_as_of_) : heard;
}

void Fetcher::uncover(Entry& entry) {
  entry.heard = known_as_of(entry);
  entry.covered_from = MonoTime::max();
}

Error Fetcher::last_error(const LinkPartition& key) const {
  if (last_error_.code != ErrorCode::kNone) return last_error_;
  auto it = entries_.find(id_of(key));
  return it == entries_.end() ? Error() : it->second.error;
}

void Fetcher::stop() {
  stopping_.set();
  wake_.close();
  catch_up_.stop();
  if (client_) client_->close();
}

void Fetcher::reconnect() {
  catch_up_.reconnect();
  if (client_) client_->close();
}

// What is received and not yet acknowledged is read again (CRC, send) from a cache while it is little: measured, 8 MiB
// cost a third less CPU time per byte than 64 MiB do. More is needed only to fill a long way, on either side.
size_t Fetcher::window_bytes() const {
  const Duration way = (client_ ? client_->round_trip() : Duration(0)) + owner_.target_round_trip();
  const auto filled = static_cast<size_t>(std::chrono::duration<double>(way).count() * kWayBytesPerSecond);
  return std::min(budget_.bytes_max(), options_.window_bytes_min + filled);
}

// Worth it only where waiting for a round trip costs more than what comes twice does.
bool Fetcher::far_behind(const Entry& entry, SourceOffset source_end, double bytes_per_offset) const {
  if (!client_ || client_->round_trip() < options_.ahead_round_trip_min || entry.at.leader_epoch < LeadershipEpoch(0))
    return false;
  if (options_.ahead_bytes_max == 0 || env_.now() < entry.ahead_from) return false;
  if (entry.pump->phase() != PumpPhase::kRunning || catch_up_.has(entry.at.key)) return false;
  const auto behind = static_cast<double>(source_end - entry.pump->received_end()) * bytes_per_offset;
  return behind >= 2.0 * static_cast<double>(options_.ahead_ask_bytes);
}

void Fetcher::catch_up_ended(const LinkPartition& key, const Error& why) {
  Entry* entry = find(key.source_topic.value(), key.partition.value());
  if (!entry) return;
  entry->heard = known_as_of(*entry);
  if (why.code != ErrorCode::kNone) {
    entry->ahead_from = env_.now() + options_.ahead_backoff;
    env_.log().info(
        "no longer read ahead",
        {{"broker", broker_}, {"topic", entry->at.topic}, {"partition", key.partition.value()}, {"error", why}});
  }
  mark(*entry);
  wake_.notify();
}

void Fetcher::catch_up_answered() {
  last_contact_ = env_.now();
  contacted_ = true;
}

TopicId Fetcher::topic_id_of(const std::string& name) {
  auto it = ids_by_name_.find(name);
  return it == ids_by_name_.end() ? TopicId() : it->second;
}

void Fetcher::fetch_received(size_t bytes) {
  response_bytes_ += bytes;
  progressed_ = true;
}

// Errors of one partition: it is left out for a moment, and its leader is looked for where that may help.
bool Fetcher::refused(Entry& entry, const FetchOutcome& outcome) {
  if (outcome.error_code != 0) uncover(entry);
  switch (static_cast<Code>(outcome.error_code)) {
    case Code::kNone:
      return false;
    case Code::kOffsetOutOfRange:
      out_of_range_[id_of(entry.at.key)] = outcome.generation;
      return true;
    case Code::kNotLeaderOrFollower:
    case Code::kFencedLeaderEpoch:
    case Code::kUnknownLeaderEpoch:
    case Code::kLeaderNotAvailable:
    case Code::kReplicaNotAvailable:
    case Code::kUnknownTopicOrPartition:
    case Code::kUnknownTopicId:
    case Code::kInconsistentTopicId:
      hold(entry, kafka::to_error(outcome.error_code, "fetch of " + entry.at.topic));
      owner_.fetcher_lost_partition(entry.at.key);
      return true;
    default:
      hold(entry, kafka::to_error(outcome.error_code, "fetch of " + entry.at.topic));
      return true;
  }
}

void Fetcher::fetch_ended(FetchedPartition& partition, const FetchOutcome& outcome) {
  auto& entry = static_cast<Entry&>(partition);
  if (refused(entry, outcome)) return;
  if (outcome.generation != entry.pump->generation()) entry.pump->on_late_answer(outcome.source, env_.now());
  if (outcome.diverging_end >= 0) {
    entry.pump->on_source_state(outcome.generation, outcome.source, env_.now());
    entry.pump->on_diverged(outcome.generation, outcome.diverging_epoch, SourceOffset(outcome.diverging_end));
  } else if (outcome.bad.code != ErrorCode::kNone) {
    entry.pump->on_bad_bytes(outcome.generation, outcome.bad);
    hold(entry, outcome.bad);
  } else if (!outcome.handed_on) {
    entry.pump->on_fetched(outcome.generation, outcome.next, BatchRun(), outcome.source, env_.now());
    // A source that sends less than one batch, whatever the limit: the limit must grow to hold it.
    if (outcome.cut) response_bytes_max_ = options_.response_bytes_max;
  }
  if (outcome.bad.code == ErrorCode::kNone) {
    entry.error = {};
    read_ahead_if_far(entry, outcome);
  }
  mark(entry);
}

void Fetcher::read_ahead_if_far(Entry& entry, const FetchOutcome& outcome) {
  if (outcome.bytes == 0 || outcome.next <= outcome.first) return;
  const double bytes_per_offset =
      static_cast<double>(outcome.bytes) / static_cast<double>(outcome.next - outcome.first);
  if (far_behind(entry, outcome.source.high_watermark, bytes_per_offset))
    catch_up_.add(*entry.pump, entry.at.topic, entry.at.leader_epoch, outcome.source.high_watermark, bytes_per_offset);
}

Task<void> Fetcher::run() {
  int failures = 0;
  spawn(gate_, "catch-up", catch_up_.run());
  while (!stopping_.is_set()) {
    if (entries_.empty()) {
      (void)co_await wake_.wait(Deadline::never());
      continue;
    }
    connection_worked_ = false;
    auto ended = co_await connected();
    if (client_) client_->close();
    client_.reset();
    forget_session();
    if (stopping_.is_set()) break;
    if (!ended) {
      last_error_ = ended.error();
      env_.log().warn("source connection ended", {{"broker", broker_}, {"error", ended.error()}});
      for (auto& [id, entry] : entries_) owner_.fetcher_lost_partition(entry.at.key);
    }
    failures = connection_worked_ ? 0 : failures + 1;
    Duration pause = options_.backoff_min;
    for (int i = 0; i < failures && pause < options_.backoff_max; ++i) pause *= 2;
    pause = std::min(pause, options_.backoff_max);
    Duration jittered(env_.random().between(pause.count() / 2, pause.count()));
    (void)co_await stopping_.wait(env_.in(jittered));
  }
  catch_up_.stop();
  co_await gate_.close();
}

Task<Status> Fetcher::connected() {
  CO_TRY(client_, co_await source_.open(broker_, env_.in(options_.silence_max)));
  if (stopping_.is_set()) co_return ok();
  MonoTime last_response;
  while (!stopping_.is_set() && !entries_.empty()) {
    release_held();
    if (response_bytes_ > 0 && response_bytes_ < options_.small_response_bytes) {
      Deadline until(last_response + options_.lag_target);
      if (!until.passed(env_.now())) (void)co_await stopping_.wait(until);
      if (stopping_.is_set()) break;
    }
    response_bytes_ = 0;
    if (const size_t window = window_bytes(); budget_.used_bytes() >= window) {
      auto room = co_await budget_.wait_for_room(window / 2, env_.in(options_.max_wait));
      if (!room) continue;  // looked at again, so that stop() is noticed
    }
    auto fetched = co_await fetch_once(*client_);
    if (!fetched) {
      // So slow that the whole response did not fit into the deadline: smaller ones will.
      if (fetched.error() == ErrorCode::kTimedOut && progressed_)
        response_bytes_max_ = std::max(kResponseBytesMin, response_bytes_max_ / 4);
      co_return fetched;
    }
    last_response = env_.now();
    if (!out_of_range_.empty()) CO_CHECK(co_await find_ranges(*client_));
  }
  co_return ok();
}

Task<Status> Fetcher::wait_for_work() {
  Deadline until = Deadline::never();
  for (const Id& id : held_) until = std::min(until, Deadline(entries_.at(id).held_until));
  auto waited = co_await wake_.wait(until);
  if (!waited && waited.error() == ErrorCode::kClosed) co_return std::move(waited).error();
  co_return ok();
}

// False: there is nothing to fetch.
bool Fetcher::build(kafka::FetchRequest& request, bool by_name) {
  full_ = false;
  changed_.merge(full_ones_);
  full_ones_.clear();
  for (const Id& id : std::exchange(changed_, {})) add_to_session(id, entries_.at(id), request, by_name);
  session_.finish(request);
  return session_.size() > 0;
}

void Fetcher::add_to_session(Id id, Entry& entry, kafka::FetchRequest& request, bool by_name) {
  const bool ahead = catch_up_.has(entry.at.key), held = held_.count(id) > 0;
  std::optional<FetchPosition> next;
  if (!ahead && !held) next = entry.pump->next();
  if (next) {
    if (entry.covered_from == MonoTime::max()) entry.covered_from = asking_at_;
    session_.ask(request, entry.at, entry.session, *next, by_name,
                 std::min(options_.partition_bytes_max, response_bytes_max_));
    return;
  }
  if (!ahead && !held && entry.pump->phase() == PumpPhase::kRunning) {
    full_ = true;
    full_ones_.insert(id);
  }
  uncover(entry);
  session_.leave(entry.at, entry.session);
}

// How long the source may wait, and how much it may send.
void Fetcher::limit(kafka::FetchRequest& request) const {
  request.max_wait_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.max_wait).count());
  // Partitions that are left out for a moment must be looked at again in time.
  if (!held_.empty()) request.max_wait_ms = std::min<int32_t>(request.max_wait_ms, kHeldWaitMs);
  if (full_) request.max_wait_ms = std::min<int32_t>(request.max_wait_ms, kFullWaitMs);
  request.min_bytes = 1;
  const size_t window = window_bytes();
  const size_t free = window - std::min(window, budget_.used_bytes());
  request.max_bytes = static_cast<int32_t>(std::clamp(free, kResponseBytesMin, response_bytes_max_));
  request.isolation_level = kafka::kReadUncommitted;
}

Task<Status> Fetcher::fetch_once(kafka::Client& client) {
  CO_TRY(int16_t version, client.version_for(kafka::FetchRequest::kApiKey));
  if (session_.fresh()) forget_session();
  kafka::FetchRequest request;
  asking_at_ = env_.now();
  if (!build(request, version <= kafka::kFetchByNameVersionMax)) {
    forget_session();  // it is left alone at the source, and begun anew when there is something to fetch
    changed_.clear();
    auto waited = co_await wait_for_work();
    if (!waited && !stopping_.is_set()) co_return waited;
    co_return ok();
  }
  limit(request);
  FetchDelivery delivery(static_cast<FetchDeliveryOwner&>(*this));
  progressed_ = false;
  CO_CHECK(co_await client.fetch(std::move(request), slabs_, &budget_, delivery,
                                 env_.in(options_.max_wait + options_.silence_max)));
  last_contact_ = env_.now();
  contacted_ = connection_worked_ = true;
  last_error_ = {};
  response_bytes_max_ = std::min(options_.response_bytes_max, response_bytes_max_ + response_bytes_max_ / 8);
  if (delivery.error_code() != 0) {
    const bool session_lost = session_.begun();
    forget_session();
    if (!session_lost) co_return kafka::to_error(delivery.error_code(), "fetch");
    co_return ok();
  }
  known_as_of_ = asking_at_;  // an answer that refuses the whole request says nothing of its partitions
  if (!session_.answered(delivery.session_id())) forget_session();  // everything is asked for again each time
  co_return ok();
}

Task<Status> Fetcher::find_ranges(kafka::Client& client) {
  std::vector<FetchSession::Partition> asked;
  for (const auto& [id, generation] : out_of_range_) asked.push_back(entries_.at(id).at);
  const MonoTime asked_at = env_.now();
  CO_TRY(auto ranges, co_await log_ranges(env_, client, std::move(asked), options_.silence_max));
  // By generation, not by what is asked for now: a source that keeps no session has been forgotten meanwhile.
  for (const auto& [id, generation] : std::exchange(out_of_range_, {})) {
    Entry* entry = find(id.first, id.second);
    if (!entry) continue;
    auto it = ranges.find(entry->at.key);
    if (it == ranges.end()) {
      hold(*entry,
           Error(ErrorCode::kOutOfRange, "the source does not say where " + entry->at.topic + " begins and ends"));
      owner_.fetcher_lost_partition(entry->at.key);
      continue;
    }
    const SourceOffset end = it->second.end;
    const SourceState state{end, end, it->second.log_start, entry->at.leader_epoch};
    hold(*entry, Error(ErrorCode::kOutOfRange));
    if (generation == entry->pump->generation()) entry->heard = asked_at;  // else the pump does not hear of it
    entry->pump->on_out_of_range(generation, state, end, env_.now());
  }
  co_return ok();
}

}  // namespace farshore::replicator
