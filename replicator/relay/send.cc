// RelaySink's way out: what is ready is stamped, gathered and sent; answers are handed on in order.
#include "replicator/relay/batch.h"
#include "replicator/relay/relay_sink_impl.h"

namespace farshore::replicator {

namespace {

constexpr int16_t kProduceByName = 12;

std::string name_of(const SinkTarget& target, const PumpKey& key) {
  return target.topic + "-" + std::to_string(key.partition.value());
}

}  // namespace

void RelaySink::Impl::queue(const PumpKey& key, RelayEntry& entry) {
  if (!entry.open || entry.queued) return;
  entry.queued = true;
  entry.lane->queue.push_back(key);
  entry.lane->wake.notify();
}

void RelaySink::Impl::fail(const PumpKey& key, uint64_t attempt, const Error& error) {
  RelayEntry* entry = find(key, attempt);
  if (!entry || !entry->open) return;
  entry->close();
  entry->pump->on_append_failed(entry->pump->generation(), error, std::nullopt);
}

bool RelaySink::Impl::needs_anchor(const RelayEntry& entry, const BatchHeader& batch) const {
  return !entry.anchored || SourceOffset(batch.base_offset) != entry.next_source ||
         batch.epoch() != entry.anchor_epoch || entry.anchor_records + batch.record_count > options.anchor_records_max;
}

// Whether entry.held may be sent now. What it waits for queues the partition again.
bool RelaySink::Impl::next(const PumpKey& key, RelayEntry& entry) {
  if (entry.held && entry.held->generation != entry.pump->generation()) {
    entry.held.reset();  // the pump was reset meanwhile, and will open or advance
    return false;
  }
  if (!entry.held) {
    if (static_cast<int>(entry.flights.size()) >= options.batches_in_flight_max) return false;
    entry.held = entry.pump->take(1);  // one batch: more of a partition in one request Kafka refuses
    if (!entry.held) return false;
    if (entry.held->run.empty()) {  // only the source's state: a Kafka target has no place for it
      AppendAck ack;
      ack.source_base = ack.end = ack.high_watermark = entry.acked_end;
      ack.target_base = entry.target_end;
      ack.source_epoch = entry.acked_epoch;
      ack.target_epoch = entry.target_epoch;
      const uint32_t generation = entry.held->generation;
      entry.held.reset();
      entry.pump->on_appended(generation, ack);
      return false;
    }
  }
  const BatchHeader& batch = entry.held->run.batches.front();
  if (Status raw = can_relay_raw(batch); !raw) {
    if (entry.flights.empty()) fail(key, entry.attempt, raw.error());
    return false;
  }
  if (needs_anchor(entry, batch)) {
    // Only when everything before it was acknowledged: that makes the anchor evidence (relay_evidence.h).
    if (!entry.flights.empty() || !anchoring.insert(key).second) return false;
    RelayAnchor made;
    made.producer = entry.producer;
    made.sequence = entry.next_sequence;
    made.source = SourceOffset(batch.base_offset);
    made.source_epoch = batch.epoch();
    made.target_from = entry.target_end;
    if (!spawn(gate, "relay anchor", anchor(key, entry.attempt, made))) anchoring.erase(key);
    return false;
  }
  return static_cast<int>(entry.flights.size()) < options.batches_in_flight_max;
}

Task<void> RelaySink::Impl::anchor(PumpKey key, uint64_t attempt, RelayAnchor made) {
  auto written = co_await journal.write_anchor(key, made, env.in(options.timeout));
  anchoring.erase(key);
  changed.notify();
  RelayEntry* entry = find(key, attempt);
  if (!entry || !entry->open || stopping.is_set()) co_return;
  if (!written) {
    fail(key, attempt, written.error().in("anchor of " + name_of(entry->target, key)));
    co_return;
  }
  entry->anchored = true;
  entry->anchor_epoch = made.source_epoch;
  entry->anchor_records = 0;
  entry->next_source = made.source;
  queue(key, *entry);
}

size_t RelaySink::Impl::add(const PumpKey& key, RelayEntry& entry, Produce& request, std::vector<Sent>& sent) {
  Pumped pumped = std::move(*entry.held);
  entry.held.reset();
  RelayFlight& flight = entry.flights.emplace_back();
  const BatchHeader& batch = pumped.run.batches.front();
  flight.id = ++flights;
  flight.generation = pumped.generation;
  flight.source = SourceOffset(batch.base_offset);
  flight.length = batch.record_count;
  flight.source_epoch = batch.epoch();
  flight.bytes = batch.size_bytes();
  flight.max_timestamp_ms = batch.max_timestamp;
  stamp_for_relay(pumped.run, entry.producer, entry.next_sequence);
  entry.next_sequence = sequence_after(entry.next_sequence, flight.length);
  entry.next_source = flight.end();
  entry.anchor_records += flight.length;
  flight.budget = std::move(pumped.run.budget);
  if (request.topic_data.empty() || request.topic_data.back().name != entry.target.topic) {
    auto& topic = request.topic_data.emplace_back();
    topic.name = entry.target.topic;
    topic.topic_id = entry.topic_id;
  }
  auto& partition = request.topic_data.back().partition_data.emplace_back();
  partition.index = key.partition.value();
  partition.records = kafka::Records(std::move(pumped.run.bytes));
  sent.push_back({key, entry.attempt, flight.id, entry.target.topic, entry.topic_id});
  return flight.bytes;
}

void RelaySink::Impl::gather(RelayLane& lane, Produce& request, std::vector<Sent>& sent) {
  request.acks = -1;
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options.timeout).count());
  size_t bytes = 0;
  // Sorted, so that each topic is named once.
  std::vector<PumpKey> keys(lane.queue.begin(), lane.queue.end());
  lane.queue.clear();
  std::sort(keys.begin(), keys.end());
  for (const PumpKey& key : keys) {
    auto it = entries.find(key);
    if (it == entries.end()) continue;
    RelayEntry& entry = it->second;
    if (entry.lane != &lane) continue;
    entry.queued = false;
    if (!entry.open) continue;
    if (bytes >= options.request_bytes_max) {
      queue(key, entry);
      continue;
    }
    if (!next(key, entry)) continue;
    bytes += add(key, entry, request, sent);
    if (entry.pump->can_send() && static_cast<int>(entry.flights.size()) < options.batches_in_flight_max)
      queue(key, entry);
  }
}

Task<Status> RelaySink::Impl::connect(std::shared_ptr<RelayLane> lane) {
  if (lane->lost) {
    // A leader that was elected or restarted meanwhile may hold less than it acknowledged: takeovers look.
    std::set<std::string> names;
    for (const auto& [key, entry] : entries) {
      if (entry.open && entry.lane == lane.get()) names.insert(entry.target.topic);
    }
    std::vector<std::string> topics(names.begin(), names.end());
    CO_TRY(auto view, co_await cluster.refresh(std::move(topics), env.in(options.timeout)));
    lane->lost = false;
    std::vector<std::pair<PumpKey, uint64_t>> moved;
    for (const auto& [key, entry] : entries) {
      if (!entry.open || entry.lane != lane.get()) continue;
      const auto* partition = view->partition(entry.target.topic, key.partition.value());
      if (!partition || partition->leader != lane->broker || partition->leader_epoch != entry.target_epoch.value())
        moved.emplace_back(key, entry.attempt);
    }
    const Error elected(ErrorCode::kUnavailable, "the target partition has another leader epoch than before");
    for (const auto& [key, attempt] : moved) fail(key, attempt, elected);
  }
  CO_TRY(lane->client, co_await cluster.open(lane->broker, env.in(options.timeout)));
  round_trip = std::max(round_trip, lane->client->round_trip());
  co_return ok();
}

Task<void> RelaySink::Impl::run_lane(std::shared_ptr<RelayLane> lane) {
  while (!stopping.is_set()) {
    if (lane->client && !lane->client->usable() && lane->in_flight == 0) {
      lane->client.reset();
      lane->lost = true;
    }
    const bool broken = lane->client && !lane->client->usable();  // those under way fail first
    if (lane->queue.empty() || broken || lane->in_flight >= options.requests_in_flight_max) {
      Deadline idle = Deadline::never();
      if (lane->client && lane->in_flight == 0) idle = env.in(options.idle_max);
      auto woken = co_await lane->wake.wait(idle);
      if (!woken && woken.error().code == ErrorCode::kTimedOut && lane->client && lane->in_flight == 0)
        lane->client->close();
      continue;
    }
    if (!lane->client) {
      auto connected = co_await connect(lane);
      if (stopping.is_set()) break;
      if (!connected) {
        // Nothing was sent, but these cannot go on: they open anew, with backoff.
        std::deque<PumpKey> waiting = std::exchange(lane->queue, {});
        for (const PumpKey& key : waiting) {
          auto it = entries.find(key);
          if (it == entries.end() || it->second.lane != lane.get()) continue;
          it->second.queued = false;
          fail(key, it->second.attempt, connected.error());
        }
      }
      continue;
    }
    if (stood_still()) {
      retake_all();
      continue;
    }
    Produce request;
    std::vector<Sent> sent;
    gather(*lane, request, sent);
    if (sent.empty()) continue;
    send(lane, std::move(request), std::move(sent));
  }
  if (lane->client) lane->client->close();
}

// Puts the request in line at once: sequences must arrive in the order in which they were given.
void RelaySink::Impl::send(const std::shared_ptr<RelayLane>& lane, Produce request, std::vector<Sent> sent) {
  const int16_t version_max = all_by_id(sent) ? kafka::Client::kNewest : kProduceByName;
  ++lane->in_flight;
  auto answer = lane->client->call(std::move(request), env.in(options.timeout), version_max);
  spawn(gate, "relay produce", await_answer(lane, std::move(sent), std::move(answer)));
}

Task<void> RelaySink::Impl::await_answer(std::shared_ptr<RelayLane> lane, std::vector<Sent> sent,
                                         Task<Result<kafka::ProduceResponse>> produce) {
  const bool by_id = all_by_id(sent);
  Error failed;
  if (stood_still()) {
    failed = Error(ErrorCode::kUnavailable, "this process stood still before it sent");
  } else {
    auto response = co_await std::move(produce);
    if (!response) {
      failed = response.error();
      lane->client->close();
    } else if (!stopping.is_set()) {
      std::map<std::pair<std::string, int32_t>, const Answer*> by_name;
      std::map<std::pair<TopicId, int32_t>, const Answer*> by_topic_id;
      for (const auto& topic : response->responses) {
        for (const Answer& each : topic.partition_responses) {
          by_name[{topic.name, each.index}] = &each;
          by_topic_id[{topic.topic_id, each.index}] = &each;
        }
      }
      for (const Sent& each : sent) {
        const Answer* answer = nullptr;
        const int32_t index = each.key.partition.value();
        if (auto it = by_name.find({each.topic, index}); it != by_name.end()) answer = it->second;
        if (auto it = by_topic_id.find({each.topic_id, index}); by_id && it != by_topic_id.end()) answer = it->second;
        deliver(each, answer);
      }
    }
  }
  --lane->in_flight;
  if (failed.code != ErrorCode::kNone && !stopping.is_set()) {
    for (const Sent& each : sent) {
      const RelayEntry* entry = find(each.key, each.attempt);
      if (entry) fail(each.key, each.attempt, failed.in("produce to " + name_of(entry->target, each.key)));
    }
  }
  lane->wake.notify();
}

void RelaySink::Impl::deliver(const Sent& sent, const Answer* answer) {
  RelayEntry* entry = find(sent.key, sent.attempt);
  if (!entry || !entry->open) return;
  auto flight = std::find_if(entry->flights.begin(), entry->flights.end(),
                             [&](const RelayFlight& each) { return each.id == sent.flight; });
  if (flight == entry->flights.end()) return;
  if (!answer) {
    Error missing(ErrorCode::kUnavailable, "the target's answer leaves the partition out");
    return fail(sent.key, sent.attempt, missing);
  }
  if (answer->error_code != 0) {
    using Code = kafka::ErrorCode;
    const TopicPartition at{entry->target.topic, sent.key.partition.value()};
    if (kafka::error_retriable(static_cast<Code>(answer->error_code))) cluster.forget_leader(at);
    RefusedBatch refused{at.topic, at.partition, flight->source, flight->bytes, flight->max_timestamp_ms};
    Error error = produce_error(answer->error_code, answer->error_message, refused);
    return fail(sent.key, sent.attempt, error);
  }
  if (answer->base_offset < entry->target_end.value()) {
    Error strange(ErrorCode::kUnavailable, "the target appended at offset " + std::to_string(answer->base_offset) +
                                               ", below " + std::to_string(entry->target_end.value()));
    return fail(sent.key, sent.attempt, strange);
  }
  flight->base = TargetOffset(answer->base_offset);
  acknowledge(sent.key, sent.attempt);
}

// Hands on what is acknowledged, in order.
void RelaySink::Impl::acknowledge(const PumpKey& key, uint64_t attempt) {
  for (;;) {
    RelayEntry* entry = find(key, attempt);
    if (!entry || !entry->open) return;
    if (entry->flights.empty() || !entry->flights.front().base) return queue(key, *entry);
    RelayFlight flight = std::move(entry->flights.front());
    entry->flights.pop_front();
    TranslationRun run{flight.source, *flight.base, flight.length, flight.source_epoch, entry->target_epoch};
    entry->acked_end = flight.end();
    entry->acked_epoch = flight.source_epoch;
    entry->target_end = run.target_end();
    journal.relayed(key, run);
    AppendAck ack;
    ack.source_base = run.source;
    ack.target_base = run.target;
    ack.length = run.length;
    ack.source_epoch = run.source_epoch;
    ack.target_epoch = run.target_epoch;
    ack.end = ack.high_watermark = run.source_end();
    entry->pump->on_appended(flight.generation, ack);
  }
}

}  // namespace farshore::replicator
