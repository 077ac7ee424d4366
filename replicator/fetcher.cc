#include "replicator/fetcher.h"

#include <algorithm>

#include "proto/kafka/messages/list_offsets.h"

namespace farshore::replicator {

namespace {

using Code = kafka::ErrorCode;

constexpr int16_t kFetchByName = 12;  // the last version that names topics
constexpr int64_t kEarliest = -2, kLatest = -1;
constexpr size_t kResponseBytesMin = 256 << 10;
constexpr double kWayBytesPerSecond = 500e6;  // the fastest way that a window is made for
constexpr int8_t kReadUncommitted = 0;
constexpr int32_t kHeldWaitMs = 100, kFullWaitMs = 5;

kafka::FetchRequest::FetchTopic& topic_in(kafka::FetchRequest& request, const TopicId& id, const std::string& name) {
  if (request.topics.empty() || request.topics.back().topic_id != id || request.topics.back().topic != name) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.topic = name;
  }
  return request.topics.back();
}

void add_forgotten(std::vector<kafka::FetchRequest::ForgottenTopic>& list, const PumpKey& key,
                   const std::string& name) {
  if (list.empty() || list.back().topic_id != key.source_topic.value()) {
    auto& topic = list.emplace_back();
    topic.topic_id = key.source_topic.value();
    topic.topic = name;
  }
  list.back().partitions.push_back(key.partition.value());
}

}  // namespace

// Hands one response to the pumps. Every callback finds its entry anew: pumps may be removed while a response arrives.
class Fetcher::Visitor final : public kafka::FetchVisitor {
 public:
  explicit Visitor(Fetcher& fetcher) : fetcher_(fetcher) {}
  int16_t error_code = 0;
  int32_t session_id = 0;

  void on_response(const kafka::FetchResponse& head) override {
    error_code = head.error_code;
    session_id = head.session_id;
  }
  void on_partition(const kafka::FetchTopic& topic, const Partition& partition, size_t) override {
    topic_ = topic.id;
    if (topic_.is_zero()) {
      auto it = fetcher_.ids_by_name_.find(topic.name);
      if (it != fetcher_.ids_by_name_.end()) topic_ = it->second;
    }
    partition_ = partition.partition_index;
    state_.high_watermark = SourceOffset(partition.high_watermark);
    state_.last_stable = SourceOffset(partition.last_stable_offset);
    state_.log_start = SourceOffset(std::max<int64_t>(partition.log_start_offset, 0));
    bad_ = {};
    told_ = false;
    bytes_ = 0;
    if (Entry* entry = current()) {
      state_.leader_epoch = entry->leader_epoch;
      if (entry->asked) asked_ = entry->asked->offset;
    }
  }
  void on_batches(BatchRun run) override {
    fetcher_.response_bytes_ += run.bytes.size();
    fetcher_.progressed_ = true;
    if (bytes_ == 0) first_ = SourceOffset(run.first().value());
    bytes_ += run.bytes.size();
    Entry* entry = current();
    if (!entry || !entry->asked) return;
    SourceOffset next(std::max(run.next().value(), asked_.value()));
    entry->pump->on_fetched(entry->asked->generation, asked_, std::move(run), state_, fetcher_.env_.now());
    asked_ = next;
    told_ = true;
    fetcher_.mark(*entry);
  }
  void on_bad_records(Error error) override { bad_ = std::move(error); }
  void on_partition_end(const kafka::FetchTopic&, const Partition& partition, size_t cut_bytes) override {
    Entry* entry = current();
    if (!entry || !entry->asked) return;
    const uint32_t generation = entry->asked->generation;
    switch (static_cast<Code>(partition.error_code)) {
      case Code::kNone:
        break;
      case Code::kOffsetOutOfRange:
        fetcher_.out_of_range_[id_of(entry->key)] = generation;
        return;
      case Code::kNotLeaderOrFollower:
      case Code::kFencedLeaderEpoch:
      case Code::kUnknownLeaderEpoch:
      case Code::kLeaderNotAvailable:
      case Code::kReplicaNotAvailable:
      case Code::kUnknownTopicOrPartition:
      case Code::kUnknownTopicId:
      case Code::kInconsistentTopicId:
        fetcher_.hold(*entry, kafka::to_error(partition.error_code, "fetch of " + entry->topic));
        fetcher_.owner_.fetcher_lost_partition(entry->key);
        return;
      default:
        fetcher_.hold(*entry, kafka::to_error(partition.error_code, "fetch of " + entry->topic));
        return;
    }
    if (partition.diverging_epoch.end_offset >= 0) {
      entry->pump->on_diverged(generation, LogEpoch(partition.diverging_epoch.epoch),
                               SourceOffset(partition.diverging_epoch.end_offset));
    } else if (bad_.code != ErrorCode::kNone) {
      entry->pump->on_bad_bytes(generation, bad_);
      fetcher_.hold(*entry, bad_);
    } else if (!told_) {
      entry->pump->on_fetched(generation, asked_, BatchRun(), state_, fetcher_.env_.now());
      // A source that sends less than one batch, whatever the limit: the limit must grow to hold it.
      if (cut_bytes > 0) fetcher_.response_bytes_max_ = fetcher_.options_.response_bytes_max;
    }
    if (bad_.code == ErrorCode::kNone) {
      entry->error = {};
      if (bytes_ > 0 && asked_ > first_) {
        const double bytes_per_offset = static_cast<double>(bytes_) / static_cast<double>(asked_ - first_);
        if (fetcher_.far_behind(*entry, state_.high_watermark, bytes_per_offset))
          fetcher_.catch_up_.add(*entry->pump, entry->topic, entry->leader_epoch, state_.high_watermark,
                                 bytes_per_offset);
      }
    }
    fetcher_.mark(*entry);
  }
  void on_response_end(const std::vector<kafka::FetchResponse::NodeEndpoint>&) override {}

 private:
  Entry* current() { return fetcher_.find(topic_, partition_); }
  Fetcher& fetcher_;
  TopicId topic_;
  int32_t partition_ = -1;
  SourceState state_;
  SourceOffset asked_, first_;  // first_: of the batches of this partition
  size_t bytes_ = 0;            // of them
  bool told_ = false;
  Error bad_;
};

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

void Fetcher::mark(Entry& entry) { changed_.insert(id_of(entry.key)); }

void Fetcher::add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch) {
  remove(pump.key());
  ids_by_name_[topic] = pump.key().source_topic.value();
  Entry& entry = entries_[id_of(pump.key())];
  entry.pump = &pump;
  entry.key = pump.key();
  entry.topic = std::move(topic);
  entry.leader_epoch = leader_epoch;
  mark(entry);
  wake_.notify();
}

void Fetcher::remove(const PumpKey& key) {
  auto it = entries_.find(id_of(key));
  if (it == entries_.end()) return;
  catch_up_.remove(key);
  if (it->second.in_session) {
    add_forgotten(forgotten_, key, it->second.topic);
    --in_session_;
  }
  changed_.erase(it->first);
  full_ones_.erase(it->first);
  held_.erase(it->first);
  out_of_range_.erase(it->first);
  entries_.erase(it);
}

void Fetcher::changed(const PumpKey& key) {
  if (Entry* entry = find(key.source_topic.value(), key.partition.value())) {
    mark(*entry);
    catch_up_.changed(key);
    wake_.notify();
  }
}

void Fetcher::hold(Entry& entry, Error error) {
  entry.held_until = env_.now() + options_.partition_backoff;
  entry.error = std::move(error);
  held_.insert(id_of(entry.key));
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
  session_id_ = session_epoch_ = 0;
  in_session_ = 0;
  forgotten_.clear();
  for (auto& [id, entry] : entries_) {
    entry.in_session = false;
    entry.asked.reset();
    mark(entry);
  }
}

Error Fetcher::last_error(const PumpKey& key) const {
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

MonoTime Fetcher::known_as_of() const {
  if (catch_up_.empty()) return known_as_of_;
  return in_session_ > 0 ? std::min(known_as_of_, catch_up_.known_as_of()) : catch_up_.known_as_of();
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
  if (!client_ || client_->round_trip() < options_.ahead_round_trip_min || entry.leader_epoch < LeadershipEpoch(0))
    return false;
  if (options_.ahead_bytes_max == 0 || env_.now() < entry.ahead_from) return false;
  if (entry.pump->phase() != PumpPhase::kRunning || catch_up_.has(entry.key)) return false;
  const auto behind = static_cast<double>(source_end - entry.pump->received_end()) * bytes_per_offset;
  return behind >= 2.0 * static_cast<double>(options_.ahead_ask_bytes);
}

void Fetcher::catch_up_ended(const PumpKey& key, const Error& why) {
  Entry* entry = find(key.source_topic.value(), key.partition.value());
  if (!entry) return;
  if (why.code != ErrorCode::kNone) {
    entry->ahead_from = env_.now() + options_.ahead_backoff;
    env_.log().info(
        "no longer read ahead",
        {{"broker", broker_}, {"topic", entry->topic}, {"partition", key.partition.value()}, {"error", why}});
  }
  mark(*entry);
  wake_.notify();
}

void Fetcher::catch_up_heard() {
  last_contact_ = env_.now();
  contacted_ = true;
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
      for (auto& [id, entry] : entries_) owner_.fetcher_lost_partition(entry.key);
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
    if (!out_of_range_.empty()) CO_CHECK(co_await find_offsets(*client_));
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

bool Fetcher::build(kafka::FetchRequest& request, bool by_name) {
  const bool full = session_epoch_ == 0;
  full_ = false;
  changed_.merge(full_ones_);
  full_ones_.clear();
  for (const Id& id : std::exchange(changed_, {})) {
    Entry& entry = entries_.at(id);
    const bool ahead = catch_up_.has(entry.key);
    auto next = ahead || held_.count(id) ? std::nullopt : entry.pump->next();
    if (!next) {
      if (!ahead && entry.pump->phase() == PumpPhase::kRunning && !held_.count(id)) {
        full_ = true;
        full_ones_.insert(id);
      }
      if (entry.in_session) {
        add_forgotten(forgotten_, entry.key, entry.topic);
        entry.in_session = false;
        --in_session_;
      }
      entry.asked.reset();
      continue;
    }
    bool same = entry.in_session && entry.asked && entry.asked->offset == next->offset &&
                entry.asked->last_fetched_epoch == next->last_fetched_epoch;
    entry.asked = next;
    if (same && !full) continue;
    if (!entry.in_session) {
      entry.in_session = true;
      ++in_session_;
    }
    auto& partition = topic_in(request, entry.key.source_topic.value(), by_name ? entry.topic : std::string())
                          .partitions.emplace_back();
    partition.partition = entry.key.partition.value();
    partition.current_leader_epoch = entry.leader_epoch.value();
    partition.fetch_offset = next->offset.value();
    partition.last_fetched_epoch = next->last_fetched_epoch.value();
    partition.partition_max_bytes = static_cast<int32_t>(std::min(options_.partition_bytes_max, response_bytes_max_));
  }
  // Where a partition is both forgotten and asked for, it was removed and added again: asking is what counts.
  for (auto& topic : forgotten_) {
    std::erase_if(topic.partitions, [&](int32_t partition) {
      Entry* entry = find(topic.topic_id, partition);
      return entry && entry->in_session;
    });
  }
  std::erase_if(forgotten_, [](const auto& topic) { return topic.partitions.empty(); });
  if (!full) request.forgotten_topics_data = forgotten_;
  forgotten_.clear();
  return in_session_ > 0;
}

Task<Status> Fetcher::fetch_once(kafka::Client& client) {
  CO_TRY(int16_t version, client.version_for(kafka::FetchRequest::kApiKey));
  if (session_epoch_ == 0) forget_session();
  kafka::FetchRequest request;
  if (!build(request, version <= kFetchByName)) {
    forget_session();  // it is left alone at the source, and begun anew when there is something to fetch
    changed_.clear();
    auto waited = co_await wait_for_work();
    if (!waited && !stopping_.is_set()) co_return waited;
    co_return ok();
  }
  request.max_wait_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.max_wait).count());
  // Partitions that are left out for a moment must be looked at again in time.
  if (!held_.empty()) request.max_wait_ms = std::min<int32_t>(request.max_wait_ms, kHeldWaitMs);
  if (full_) request.max_wait_ms = std::min<int32_t>(request.max_wait_ms, kFullWaitMs);
  request.min_bytes = 1;
  const size_t window = window_bytes();
  const size_t free = window - std::min(window, budget_.used_bytes());
  request.max_bytes = static_cast<int32_t>(std::clamp(free, kResponseBytesMin, response_bytes_max_));
  request.isolation_level = kReadUncommitted;
  request.session_id = session_id_;
  request.session_epoch = session_epoch_;
  Visitor visitor(*this);
  progressed_ = false;
  const MonoTime asked_at = env_.now();
  CO_CHECK(co_await client.fetch(std::move(request), slabs_, &budget_, visitor,
                                 env_.in(options_.max_wait + options_.silence_max)));
  last_contact_ = env_.now();
  known_as_of_ = asked_at;
  contacted_ = connection_worked_ = true;
  last_error_ = {};
  response_bytes_max_ = std::min(options_.response_bytes_max, response_bytes_max_ + response_bytes_max_ / 8);
  if (visitor.error_code != 0) {
    bool session_lost = session_id_ != 0;
    forget_session();
    if (!session_lost) co_return kafka::to_error(visitor.error_code, "fetch");
    co_return ok();
  }
  if (visitor.session_id == 0) {  // the source keeps no session for us: everything is asked for again each time
    forget_session();
  } else {
    session_id_ = visitor.session_id;
    session_epoch_ = session_epoch_ == INT32_MAX ? 1 : session_epoch_ + 1;
  }
  co_return ok();
}

Task<Status> Fetcher::find_offsets(kafka::Client& client) {
  std::map<Id, std::pair<int64_t, int64_t>> found;  // log start, end
  for (int64_t which : {kEarliest, kLatest}) {
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    for (const auto& [id, generation] : out_of_range_) {
      const Entry& entry = entries_.at(id);
      if (request.topics.empty() || request.topics.back().name != entry.topic)
        request.topics.emplace_back().name = entry.topic;
      auto& partition = request.topics.back().partitions.emplace_back();
      partition.partition_index = id.second;
      partition.current_leader_epoch = entry.leader_epoch.value();
      partition.timestamp = which;
    }
    auto response = co_await client.call(std::move(request), env_.in(options_.silence_max));
    if (!response) co_return std::move(response).error();
    for (const auto& topic : response->topics) {
      auto id = ids_by_name_.find(topic.name);
      if (id == ids_by_name_.end()) continue;
      for (const auto& partition : topic.partitions) {
        if (partition.error_code != 0 || partition.offset < 0) continue;
        auto& [start, end] = found.try_emplace({id->second, partition.partition_index}, -1, -1).first->second;
        (which == kEarliest ? start : end) = partition.offset;
      }
    }
  }
  // By generation, not by what is asked for now: a source that keeps no session has been forgotten meanwhile.
  for (const auto& [id, generation] : std::exchange(out_of_range_, {})) {
    Entry* entry = find(id.first, id.second);
    if (!entry) continue;
    auto it = found.find(id);
    if (it == found.end() || it->second.first < 0 || it->second.second < 0) {
      hold(*entry, Error(ErrorCode::kOutOfRange, "the source does not say where " + entry->topic + " begins and ends"));
      owner_.fetcher_lost_partition(entry->key);
      continue;
    }
    SourceState state;
    state.log_start = SourceOffset(it->second.first);
    state.high_watermark = state.last_stable = SourceOffset(it->second.second);
    state.leader_epoch = entry->leader_epoch;
    hold(*entry, Error(ErrorCode::kOutOfRange));
    entry->pump->on_out_of_range(generation, state, state.high_watermark, env_.now());
  }
  co_return ok();
}

}  // namespace farshore::replicator
