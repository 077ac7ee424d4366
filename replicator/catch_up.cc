#include "replicator/catch_up.h"

#include <algorithm>

#include "proto/kafka/constants.h"

namespace farshore::replicator {

namespace {

constexpr int32_t kSessionlessEpoch = -1;  // a full fetch that begins no session (KIP-227)
constexpr int32_t kWaitMs = 100;           // there is always something to read; but for a truncation
constexpr size_t kBatchesPerAsk = 16;      // what is cut off at the end of a response is then a small part of it
constexpr double kShortResponse = 0.7;     // less of what was asked for: a segment's end, say, and no wrong estimate
constexpr double kAskSecondsMax = 1.5;     // a response shall not take longer than that

}  // namespace

// Hands one answer to its pump. The entry is looked up again for each piece: it may be removed meanwhile.
class CatchUp::Visitor final : public kafka::FetchVisitor {
 public:
  Visitor(CatchUp& catch_up, const Ask& ask) : catch_up_(catch_up), ask_(ask) {}
  Error trouble;
  size_t bytes = 0, used_bytes = 0;
  SourceOffset first, end;
  bool gap = false;
  std::optional<MonoTime> began;

  void on_response(const kafka::FetchResponse& head) override {
    began = catch_up_.env_.now();
    if (head.error_code != 0) trouble = kafka::to_error(head.error_code, "fetch");
  }
  void on_partition(const kafka::FetchTopic&, const Partition& partition, size_t) override {
    state_.high_watermark = SourceOffset(partition.high_watermark);
    state_.last_stable = SourceOffset(partition.last_stable_offset);
    state_.log_start = SourceOffset(std::max<int64_t>(partition.log_start_offset, 0));
    state_.leader_epoch = ask_.leader_epoch;
    if (partition.error_code != 0) trouble = kafka::to_error(partition.error_code, "fetch of " + ask_.topic);
  }
  void on_batches(BatchRun run) override {
    if (run.empty()) return;
    if (bytes == 0) first = SourceOffset(run.first().value());
    end = SourceOffset(run.next().value());
    const size_t size = run.bytes.size();
    bytes += size;
    Entry* entry = current();
    if (!entry || trouble.code != ErrorCode::kNone || gap) return;
    for (const BatchHeader& batch : run.batches)
      entry->batch_bytes_max = std::max<size_t>(entry->batch_bytes_max, batch.size_bytes());
    const SourceOffset at = entry->pump->received_end();
    if (end <= at) return;  // all of it was there
    // At a guessed position, a gap in the offsets cannot be distinguished from batches that were not fetched.
    if (ask_.guessed && SourceOffset(run.first().value()) > at) {
      gap = true;
      return;
    }
    const uint64_t before = entry->pump->bytes_received();
    entry->pump->on_fetched(entry->generation, at, std::move(run), state_, catch_up_.env_.now());
    if (Entry* still = current()) used_bytes += still->pump->bytes_received() - before;
  }
  void on_bad_records(Error error) override { trouble = std::move(error); }
  void on_partition_end(const kafka::FetchTopic&, const Partition& partition, size_t) override {
    // What it is exactly, the session will find out at the exact place.
    if (partition.diverging_epoch.end_offset >= 0)
      trouble = Error(ErrorCode::kConflict, "the source has another history");
  }
  void on_response_end(const std::vector<kafka::FetchResponse::NodeEndpoint>&) override {}

  Entry* current() {
    Entry* entry = catch_up_.find(ask_.key);
    return entry && entry->round == ask_.round && entry->pump->generation() == entry->generation ? entry : nullptr;
  }
  SourceOffset high_watermark() const { return state_.high_watermark; }

 private:
  CatchUp& catch_up_;
  const Ask& ask_;
  SourceState state_;
};

CatchUp::CatchUp(Env& env, kafka::ClusterClient& source, int32_t broker, SlabArena& arena, Budget& budget,
                 const FetcherOptions& options, CatchUpOwner& owner)
    : env_(env),
      source_(source),
      broker_(broker),
      budget_(budget),
      options_(options),
      owner_(owner),
      slabs_(arena),
      stopping_(env),
      wake_(env),
      gate_(env) {}

CatchUp::~CatchUp() = default;

CatchUp::Entry* CatchUp::find(const LinkPartition& key) {
  auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

void CatchUp::add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch, SourceOffset source_end,
                  double bytes_per_offset) {
  Entry entry;
  entry.pump = &pump;
  entry.topic = std::move(topic);
  entry.leader_epoch = leader_epoch;
  entry.source_end = source_end;
  entry.bytes_per_offset = std::max(bytes_per_offset, 1.0 / 1024);
  entry.ask_bytes = std::min(options_.ahead_ask_bytes_min * 4, options_.ahead_ask_bytes);
  entries_[pump.key()] = std::move(entry);
  wake_.notify();
}

void CatchUp::remove(const LinkPartition& key) {
  entries_.erase(key);
  wake_.notify();
}

void CatchUp::changed(const LinkPartition& key) {
  if (has(key)) wake_.notify();
}

MonoTime CatchUp::known_as_of(const LinkPartition& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? MonoTime() : found->second.known_as_of;
}

void CatchUp::reconnect() {
  if (client_) client_->close();
}

void CatchUp::stop() {
  stopping_.set();
  wake_.close();
  if (client_) client_->close();
}

void CatchUp::end(const LinkPartition& key, const Error& why) {
  if (!has(key)) return;
  owner_.catch_up_ended(key, why);
  entries_.erase(key);
}

void CatchUp::end_all(const Error& why) {
  while (!entries_.empty()) end(LinkPartition(entries_.begin()->first), why);
}

void CatchUp::begin_round(Entry& entry, const FetchPosition& at) {
  entry.round = ++rounds_;
  entry.generation = at.generation;
  entry.ahead = at.offset;
  entry.in_flight = 0;
}

// As much as the way holds: what arrives in one and a half round trips, and the response that is arriving.
size_t CatchUp::window_bytes() const {
  const double round_trip_s = client_ ? std::chrono::duration<double>(client_->round_trip()).count() : 0;
  double bytes = bytes_per_second_ * round_trip_s * 1.5 + 2.0 * static_cast<double>(options_.ahead_ask_bytes);
  return std::min(options_.ahead_bytes_max, static_cast<size_t>(bytes));
}

bool CatchUp::may_ask(const Entry& entry) const {
  if (bytes_in_flight_ == 0) return !budget_.exhausted();
  return bytes_in_flight_ + entry.ask_bytes <= window_bytes() &&
         budget_.used_bytes() + bytes_in_flight_ + entry.ask_bytes <= budget_.bytes_max();
}

// Near the end with nothing under way, or not running: the session knows what to do.
bool CatchUp::over(const Entry& entry) const {
  if (entry.pump->phase() != PumpPhase::kRunning) return true;
  if (entry.round != 0 && entry.generation == entry.pump->generation() && entry.in_flight > 0) return false;
  const auto left = static_cast<double>(entry.source_end - entry.pump->received_end());
  return left * entry.bytes_per_offset < static_cast<double>(options_.ahead_ask_bytes_min);
}

bool CatchUp::ask_next(const LinkPartition& key, Entry& entry, Ask& ask) {
  auto next = entry.pump->next();
  if (!next || !may_ask(entry)) return false;
  if (entry.round == 0 || entry.generation != next->generation) begin_round(entry, *next);
  // From a response of one or two batches the length of the next one cannot be estimated.
  const double whole = static_cast<double>(entry.ask_bytes) - 1.25 * static_cast<double>(entry.batch_bytes_max);
  const int asks_max = whole < static_cast<double>(entry.ask_bytes) / 2 ? 1 : entry.asks_max;
  if (entry.in_flight >= asks_max) return false;
  if (entry.in_flight == 0) entry.ahead = next->offset;
  if (entry.ahead >= entry.source_end) return false;
  ask.key = key;
  ask.topic = entry.topic;
  ask.leader_epoch = entry.leader_epoch;
  ask.round = entry.round;
  ask.offset = entry.ahead;
  ask.guessed = entry.in_flight > 0;
  ask.last_fetched_epoch = ask.guessed ? LogEpoch(-1) : next->last_fetched_epoch;
  ask.bytes_max = entry.ask_bytes;
  const double offsets = std::max(whole, 0.0) / entry.bytes_per_offset * (1 - entry.margin);
  entry.ahead = entry.ahead + std::max<int64_t>(1, static_cast<int64_t>(offsets));
  ++entry.in_flight;
  return true;
}

std::optional<CatchUp::Ask> CatchUp::plan() {
  // The one after the last that was asked for comes first.
  auto it = entries_.upper_bound(last_asked_);
  for (size_t n = entries_.size(); n > 0; --n, ++it) {
    if (it == entries_.end()) it = entries_.begin();
    Ask ask;
    if (!ask_next(it->first, it->second, ask)) continue;
    last_asked_ = it->first;
    return ask;
  }
  return std::nullopt;
}

Task<void> CatchUp::run() {
  while (!stopping_.is_set()) {
    std::vector<LinkPartition> idle;
    for (const auto& [key, entry] : entries_)
      if (over(entry)) idle.push_back(key);
    for (const LinkPartition& key : idle) end(key, {});
    if (entries_.empty()) {
      if (client_) std::exchange(client_, nullptr)->close();  // answers under way keep it until they end
      (void)co_await wake_.wait(Deadline::never());
      continue;
    }
    if (!client_) {
      auto opened = co_await source_.open(broker_, env_.in(options_.silence_max));
      if (stopping_.is_set()) {
        if (opened) (*opened)->close();
        break;
      }
      if (!opened) {
        end_all(opened.error());
        continue;
      }
      client_ = std::move(*opened);
      bytes_per_second_ = 0;
      continue;  // who was here may be gone
    }
    if (auto ask = plan()) {
      send(std::move(*ask));
      continue;
    }
    Deadline until = Deadline::never();
    if (bytes_in_flight_ == 0 && budget_.exhausted()) until = env_.in(options_.lag_target);
    (void)co_await wake_.wait(until);
  }
  if (client_) client_->close();
  co_await gate_.close();
  client_.reset();
}

// One fetch under way.
struct CatchUp::Flight {
  Flight(CatchUp& catch_up, Ask a, std::shared_ptr<kafka::Client> c)
      : ask(std::move(a)), client(std::move(c)), asked_at(catch_up.env_.now()), visitor(catch_up, ask) {}
  const Ask ask;
  const std::shared_ptr<kafka::Client> client;
  const MonoTime asked_at;
  Visitor visitor;
};

// Takes its place on the wire at once: guesses are worth something only in their order.
void CatchUp::send(Ask asked) {
  auto flight = std::make_unique<Flight>(*this, std::move(asked), client_);
  const Ask& ask = flight->ask;
  kafka::FetchRequest request;
  request.max_wait_ms = kWaitMs;
  request.min_bytes = 1;
  request.max_bytes = static_cast<int32_t>(ask.bytes_max);
  request.isolation_level = kafka::kReadUncommitted;
  request.session_id = 0;
  request.session_epoch = kSessionlessEpoch;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = ask.key.source_topic.value();
  auto version = client_->version_for(kafka::FetchRequest::kApiKey);
  if (version && *version <= kafka::kFetchByNameVersionMax) topic.topic = ask.topic;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = ask.key.partition.value();
  partition.current_leader_epoch = ask.leader_epoch.value();
  partition.fetch_offset = ask.offset.value();
  partition.last_fetched_epoch = ask.last_fetched_epoch.value();
  partition.partition_max_bytes = static_cast<int32_t>(ask.bytes_max);
  ++asks_in_flight_;
  asks_in_flight_most_ = std::max(asks_in_flight_most_, asks_in_flight_);
  bytes_in_flight_ += ask.bytes_max;
  auto answer = client_->fetch(std::move(request), slabs_, &budget_, flight->visitor,
                               env_.in(options_.max_wait + options_.silence_max));
  spawn(gate_, "fetch ahead", receive(std::move(flight), std::move(answer)));
}

Task<void> CatchUp::receive(std::unique_ptr<Flight> flight, Task<Result<void>> answer) {
  const Ask& ask = flight->ask;
  Visitor& visitor = flight->visitor;
  auto fetched = co_await std::move(answer);
  --asks_in_flight_;
  bytes_in_flight_ -= ask.bytes_max;
  bytes_received_ += visitor.bytes;
  bytes_unused_ += visitor.bytes - std::min(visitor.used_bytes, visitor.bytes);
  if (stopping_.is_set()) co_return;
  if (!fetched) {
    flight->client->close();
    if (flight->client == client_) {
      client_.reset();
      end_all(fetched.error());
    }
    wake_.notify();
    co_return;
  }
  const MonoTime now = env_.now();
  if (visitor.began) note_rate(visitor.bytes, now - std::max(*visitor.began, last_response_end_));
  last_response_end_ = now;
  owner_.catch_up_answered();
  if (Entry* entry = visitor.current()) {
    --entry->in_flight;
    if (visitor.used_bytes > 0) entry->known_as_of = flight->asked_at;  // else the pump has not heard of it
    entry->source_end = visitor.high_watermark();
    note_answer(ask, *entry, visitor);
  }
  wake_.notify();
}

// What an answer means for the asks that follow it: how far ahead, how many, how large; or that the session is to go
// on.
void CatchUp::note_answer(const Ask& ask, Entry& entry, const Visitor& visitor) {
  if (visitor.trouble.code != ErrorCode::kNone) return end(ask.key, visitor.trouble);
  if (visitor.gap && ++entry.gaps >= kGapsMax)
    return end(ask.key, Error(ErrorCode::kUnavailable,
                              "the source's responses do not end where expected; reading ahead is off for now"));
  if (visitor.gap) {
    entry.margin = std::min(kMarginMax, entry.margin * 2);
    return slow_down(entry);
  }
  if (visitor.used_bytes == 0 && !ask.guessed) return end(ask.key, {});  // nothing at the exact place: the session asks
  if (visitor.used_bytes > 0 && ask.guessed) entry.gaps = 0;
  if (visitor.used_bytes * 2 >= visitor.bytes)
    ++entry.asks_max;
  else
    slow_down(entry);  // guessed much too low: those under way bring the same again
  if (visitor.bytes > 0 && visitor.end > visitor.first) {
    // What comes next looks more like what came last than like what came before.
    entry.bytes_per_offset = static_cast<double>(visitor.bytes) / static_cast<double>(visitor.end - visitor.first);
    if (static_cast<double>(visitor.bytes) >= kShortResponse * static_cast<double>(ask.bytes_max))
      entry.margin = std::max(kMarginMin, entry.margin * 0.9);
  }
  size_t wanted = std::clamp(entry.batch_bytes_max * kBatchesPerAsk, options_.ahead_ask_bytes,
                             std::max(options_.ahead_ask_bytes, options_.partition_bytes_max));
  if (bytes_per_second_ > 0) wanted = std::min(wanted, static_cast<size_t>(bytes_per_second_ * kAskSecondsMax));
  entry.ask_bytes = std::max(options_.ahead_ask_bytes_min, std::min(wanted, entry.ask_bytes * 2));
}

void CatchUp::slow_down(Entry& entry) {
  entry.round = 0;
  entry.asks_max = std::max(kAsksFirst, entry.asks_max / 2);
}

void CatchUp::note_rate(size_t bytes, Duration transfer) {
  const double seconds = std::chrono::duration<double>(transfer).count();
  if (bytes < options_.ahead_ask_bytes_min / 2 || seconds <= 0) return;
  const double rate = static_cast<double>(bytes) / seconds;
  bytes_per_second_ = bytes_per_second_ == 0 ? rate : (bytes_per_second_ * 3 + rate) / 4;
}

}  // namespace farshore::replicator
