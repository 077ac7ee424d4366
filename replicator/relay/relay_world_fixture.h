// For tests: a list of source batches, gateways that relay it (pumps and a RelaySink, each gateway a simulated process
// that may be killed or stopped), a fake Kafka target, and a journal that keeps what was written down.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/fake_kafka.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::replicator {

using kafka::FakeKafka;
using kafka::FakePartition;

inline constexpr char kRelayTopic[] = "orders", kRelayLog[] = "__farshore_offsets";

// What a topic's log of record would hold, shared by all gateways.
struct WrittenDown {
  std::map<PumpKey, RelayClaims> claims;
  std::map<PumpKey, std::vector<TranslationRun>> told;  // every run that was ever told, written down or not
  int anchors = 0;
};

// Writes are fenced as the real one's are: by the producer epoch in the log's partition of the target.
class MemoryJournal final : public RelayJournal {
 public:
  MemoryJournal(Env& env, FakeKafka& kafka, WrittenDown& down, double claim_chance)
      : env_(env), kafka_(kafka), down_(down), claim_chance_(claim_chance) {}

  Task<Result<TopicPartition>> log_of(PumpKey, Deadline) override {
    co_await env_.sleep(milliseconds(env_.random().between(0, 3)));
    co_return TopicPartition{kRelayLog, 0};
  }
  Task<Result<RelayClaims>> take_over(PumpKey key, RelayProducer owner, Deadline deadline) override {
    while (wait_for_marker && epoch_of(owner.id) < owner.epoch) {  // reads up to the marker
      if (deadline.passed(env_.now())) co_return Error(ErrorCode::kTimedOut);
      co_await env_.sleep(milliseconds(2));
    }
    if (fenced(owner)) co_return Error(ErrorCode::kFenced);
    owners_[key] = owner;
    open_.erase(key);
    co_return down_.claims[key];
  }
  Task<Status> write_anchor(PumpKey key, RelayAnchor anchor, Deadline) override {
    const RelayProducer owner = owners_[key];
    co_await env_.sleep(milliseconds(env_.random().between(0, 20)));
    if (fenced(owner)) co_return Error(ErrorCode::kFenced, "the log of record");
    down_.claims[key].anchors.push_back(anchor);
    ++down_.anchors;
    co_await env_.sleep(milliseconds(env_.random().between(0, 5)));
    if (fail_anchors > 0) {
      --fail_anchors;
      co_return Error(ErrorCode::kUnavailable, "the acknowledgement was lost");
    }
    co_return ok();
  }
  void relayed(const PumpKey& key, const TranslationRun& run) override {
    down_.told[key].push_back(run);
    auto& open = open_[key];
    if (open && open->source_end() == run.source && open->target_end() == run.target &&
        open->source_epoch == run.source_epoch && open->target_epoch == run.target_epoch) {
      open->length += run.length;
    } else {
      if (open) claim(key, *open);
      open = run;
    }
    if (env_.random().below(1000) < claim_chance_ * 1000) claim(key, *open);
  }
  Task<Result<RelayClaims>> lower_claim(PumpKey key, TargetOffset target, Deadline) override {
    RelayClaims& claims = down_.claims[key];
    std::erase_if(claims.anchors, [&](const RelayAnchor& anchor) { return anchor.target_from > target; });
    if (claims.last_run && claims.last_run->target_end() > target) {
      // One run is enough here: what it loses at its end was one piece.
      claims.last_run->length = target - claims.last_run->target;
      if (claims.last_run->length <= 0) claims.last_run.reset();
    }
    open_.erase(key);
    ++lowered;
    co_return claims;
  }

  bool wait_for_marker = true;
  int fail_anchors = 0, lowered = 0;

 private:
  FakePartition& log() { return kafka_.partition(kRelayLog, 0); }
  int16_t epoch_of(int64_t id) {
    auto it = log().producers.find(id);
    return it == log().producers.end() ? int16_t{-1} : it->second.epoch;
  }
  bool fenced(RelayProducer owner) { return wait_for_marker && epoch_of(owner.id) > owner.epoch; }
  void claim(const PumpKey& key, const TranslationRun& run) {
    if (!fenced(owners_[key])) down_.claims[key].last_run = run;
  }

  Env& env_;
  FakeKafka& kafka_;
  WrittenDown& down_;
  const double claim_chance_;
  std::map<PumpKey, RelayProducer> owners_;
  std::map<PumpKey, std::optional<TranslationRun>> open_;
};

struct SourcePartition {
  struct Batch {
    BatchHeader header;
    std::vector<std::byte> bytes;
  };
  std::vector<Batch> batches;
  std::map<int64_t, std::string> values;  // by offset
  int64_t log_start = 0, end = 0;

  // `records` at the end of the log, or `gap` offsets above it.
  void append(int records, int32_t epoch, int64_t timestamp_ms, int64_t gap = 0) {
    BatchBuilder builder;
    builder.base_offset(end + gap).leader_epoch(epoch).producer(77, 1, static_cast<int32_t>(end));
    for (int i = 0; i < records; ++i) {
      std::string& value = values[end + gap + i];
      value = "record " + std::to_string(end + gap + i);
      builder.add(timestamp_ms, "key", value);
    }
    add(builder);
  }
  void add(const BatchBuilder& builder) {
    std::vector<std::byte> bytes = builder.build();
    BatchHeader header = BatchHeader::parse(bytes).value();
    end = header.next().value();
    batches.push_back({header, std::move(bytes)});
  }
};

// One process: what a gateway does for one link.
class RelayGateway final : private PumpDriver, private PumpListener {
 public:
  struct Options {
    RelaySinkOptions sink;
    double claim_chance = 0.3;
  };
  RelayGateway(sim::SimEnv& e, FakeKafka& kafka, WrittenDown& down, std::map<int32_t, SourcePartition>& source,
               const Options& options)
      : env(e),
        source_(source),
        target_(env, env.network(), cluster()),
        journal(env, kafka, down, options.claim_chance),
        sink(env, target_, kLink, journal, options.sink),
        gate_(env) {
    journal.wait_for_marker = !options.sink.test_only_skip_marker;
    const TargetTopicId id(kafka.topics.at(kRelayTopic).id);
    for (auto& [index, partition] : source_) {
      Work& work = work_[index];
      work.pump = std::make_unique<PartitionPump>(key_of(index), pump_options_, static_cast<PumpDriver&>(*this),
                                                  static_cast<PumpListener&>(*this));
      sink.attach(*work.pump, {kRelayTopic, id});
      spawn(gate_, "feed", feed(index));
      pump_needs_control(*work.pump);
    }
  }
  ~RelayGateway() override = default;

  static inline const LinkId kLink{{7, 7, 7}};
  static inline const SourceTopicId kSourceTopic{{5, 5}};
  static PumpKey key_of(int32_t index) { return {kLink, kSourceTopic, PartitionId(index)}; }
  PartitionPump& pump(int32_t index) { return *work_.at(index).pump; }
  bool caught_up() {
    for (auto& [index, work] : work_) {
      if (work.pump->phase() != PumpPhase::kRunning) return false;
      if (work.pump->progress(env.now()).target_end.value() < source_.at(index).end) return false;
    }
    return true;
  }

  sim::SimEnv& env;

 private:
  struct Work {
    std::unique_ptr<PartitionPump> pump;
    bool wishing = false;
  };
  std::map<int32_t, SourcePartition>& source_;
  SlabArena arena_;
  kafka::ClusterClient target_;

 public:
  MemoryJournal journal;
  RelaySink sink;
  std::vector<Error> failures;     // of pumps
  std::vector<Error> open_errors;  // that will be tried again
  std::vector<std::pair<int64_t, int64_t>> gaps;

 private:
  static kafka::ClusterOptions cluster() {
    kafka::ClusterOptions options;
    options.bootstrap.push_back(Endpoint{"target", 9092});
    options.request_timeout = seconds(10);
    return options;
  }
  void pump_can_send(PartitionPump& pump) override { sink.ready(pump); }
  void pump_fetch_changed(PartitionPump&) override {}
  void pump_needs_control(PartitionPump& pump) override {
    const int32_t index = pump.key().partition.value();
    Work& work = work_.at(index);
    if (work.wishing) return;
    work.wishing = spawn(gate_, "wishes", grant(index));
  }
  void pump_caught_up(const PumpKey&) override {}
  void pump_diverged(const PumpKey&, LostRange, bool) override { ADD_FAILURE() << "nothing diverges here"; }
  void pump_retention_gap(const PumpKey&, SourceOffset from, SourceOffset to, bool) override {
    gaps.emplace_back(from.value(), to.value());
  }
  void pump_log_start_moved(const PumpKey&, SourceOffset) override {}
  void pump_topic_gone(const PumpKey&, const Error&) override {}
  void pump_failed(const PumpKey&, const Error& why) override { failures.push_back(why); }

  Task<void> grant(int32_t index) {
    Work& work = work_.at(index);
    while (work.pump->wish().kind != PumpWish::Kind::kNone) {
      const PumpWish wish = work.pump->wish();
      const uint32_t generation = work.pump->generation();
      Result<TargetState> state = Error(ErrorCode::kInternal);
      if (wish.kind == PumpWish::Kind::kOpen) {
        state = co_await sink.open(key_of(index));
      } else if (wish.kind == PumpWish::Kind::kAdvance) {
        state = co_await sink.advance_log_start(key_of(index), work.pump->session(), wish.offset);
      } else {
        auto cut = co_await sink.truncate(key_of(index), work.pump->session(), wish.offset, wish.epoch);
        state = cut.error();
      }
      if (state) {
        work.pump->on_target(generation, *state, {});
        continue;
      }
      open_errors.push_back(state.error());
      work.pump->on_wish_failed(generation, state.error());
      co_await env.sleep(milliseconds(env.random().between(10, 100)));
    }
    work.wishing = false;
  }

  // Stands for a fetcher and the source behind it.
  Task<void> feed(int32_t index) {
    int64_t quiet = 1;  // polls more rarely while there is nothing
    for (;;) {
      co_await env.sleep(microseconds(env.random().between(100, 6000) * quiet));
      quiet = std::min<int64_t>(quiet * 2, 16);
      PartitionPump& pump = *work_.at(index).pump;
      SourcePartition& source = source_.at(index);
      auto position = pump.next();
      if (!position) continue;
      SourceState state;
      state.high_watermark = state.last_stable = SourceOffset(source.end);
      state.log_start = SourceOffset(source.log_start);
      if (position->offset.value() < source.log_start) {
        pump.on_out_of_range(position->generation, state, SourceOffset(source.end), env.now());
        continue;
      }
      std::vector<std::byte> bytes;
      int64_t count = env.random().between(1, 6);
      for (const auto& batch : source.batches) {
        if (batch.header.next().value() <= position->offset.value()) continue;
        if (count-- == 0) break;
        bytes.insert(bytes.end(), batch.bytes.begin(), batch.bytes.end());
      }
      BatchRun run;
      if (!bytes.empty()) {
        run = run_of(arena_, bytes);
        quiet = 1;
      }
      pump.on_fetched(position->generation, position->offset, std::move(run), state, env.now());
    }
  }

  PumpOptions pump_options_ = relay_pump_options();
  std::map<int32_t, Work> work_;
  Gate gate_;
};

class RelayWorld {
 public:
  explicit RelayWorld(uint64_t seed, int32_t partitions = 1)
      : world(sim_options(seed)), kafka_env(world.start_process("target", "kafka")), kafka(kafka_env, address()) {
    kafka.add_topic(kRelayTopic, partitions);
    kafka.add_topic(kRelayLog, 1);
    world.spawn(kafka_env, kafka.run());
    for (int32_t i = 0; i < partitions; ++i) source[i];
  }
  ~RelayWorld() {
    kill_gateways();
    if (!kafka_env.dead()) world.kill(kafka_env);
  }

  RelayGateway& start_gateway(RelayGateway::Options options = {}) {
    sim::SimEnv& env = world.start_process("gateway" + std::to_string(gateways.size() % 4), "gateway");
    gateways.push_back(std::make_unique<RelayGateway>(env, kafka, down, source, options));
    return *gateways.back();
  }
  RelayGateway& gateway() { return *gateways.back(); }
  void kill_gateways() {
    for (auto& each : gateways) {
      if (!each->env.dead()) world.kill(each->env);
    }
  }
  FakePartition& target(int32_t index = 0) { return kafka.partition(kRelayTopic, index); }
  bool until(const std::function<bool()>& done, Duration limit = seconds(120)) {
    return world.run_until(done, limit) == sim::RunEnd::kDone;
  }
  bool until_caught_up(Duration limit = seconds(120)) {
    return until([&] { return gateway().caught_up() || !gateway().failures.empty(); }, limit) && gateway().caught_up();
  }

  // Every source record is at the target once, in order, and every run points at the same record on both sides.
  // Empty: so it is. Offsets that the target deleted are not looked at. `stopped`: the end may be missing.
  std::string wrong(bool stopped = false) {
    for (auto& [index, from] : source) {
      FakePartition& to = target(index);
      const auto values = to.values();
      auto expected = from.values.begin();
      if (to.log_start > 0 && !values.empty()) {  // begins with what is left
        while (expected != from.values.end() && expected->second != values.begin()->second) ++expected;
      }
      const std::string where = "partition " + std::to_string(index) + ", target offset ";
      for (const auto& [offset, value] : values) {
        if (expected == from.values.end())
          return where + std::to_string(offset) + ": \"" + value + "\" is one too many";
        if (value != expected->second)
          return where + std::to_string(offset) + ": \"" + value + "\" where \"" + expected->second + "\" is due";
        ++expected;
      }
      if (expected != from.values.end() && !stopped && !(values.empty() && to.log_start > 0))
        return "partition " + std::to_string(index) + ": \"" + expected->second + "\" is missing";
      for (const TranslationRun& run : down.told[RelayGateway::key_of(index)]) {
        for (int64_t i = 0; i < run.length; ++i) {
          const int64_t at = run.target.value() + i;
          if (at < to.log_start) continue;
          auto there = values.find(at);
          auto here = from.values.find(run.source.value() + i);
          if (there == values.end() || here == from.values.end() || there->second != here->second)
            return where + std::to_string(at) + ": translated from source offset " +
                   std::to_string(run.source.value() + i) + ", which is another record";
        }
      }
    }
    return "";
  }

  static Endpoint address() { return Endpoint{"target", 9092}; }

  sim::SimWorld world;
  sim::SimEnv& kafka_env;
  FakeKafka kafka;
  std::map<int32_t, SourcePartition> source;
  WrittenDown down;
  std::vector<std::unique_ptr<RelayGateway>> gateways;

 private:
  static sim::SimOptions sim_options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
};

}  // namespace farshore::replicator
