// For tests: RelayGateway, a simulated process that relays a list of source batches to a fake Kafka cluster: pumps and
// a RelaySink, without fetchers. It may be killed or stopped at any time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "replicator/relay/relay_sink.h"
#include "replicator/relay/testing/memory_journal.h"

namespace farshore::replicator {

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
    int64_t source_batches_max = 6;  // of an answer of the source
  };
  RelayGateway(sim::SimEnv& e, FakeKafka& kafka, WrittenDown& down, std::map<int32_t, SourcePartition>& source,
               const Options& options)
      : env(e),
        source_(source),
        source_batches_max_(options.source_batches_max),
        target_(env, env.network(), cluster()),
        journal(env, kafka, down, options.claim_chance),
        sink(env, target_, journal, options.sink),
        gate_(env) {
    journal.wait_for_marker = !options.sink.test_only_skip_marker;
    journal.skip_ownership = options.sink.test_only_skip_ownership;
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
  static LinkPartition key_of(int32_t index) { return {kLink, kSourceTopic, PartitionId(index)}; }
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
    bool controlling = false;
  };
  std::map<int32_t, SourcePartition>& source_;
  const int64_t source_batches_max_;
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
    if (work.controlling) return;
    work.controlling = spawn(gate_, "control requests", grant(index));
  }
  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition&, LostRange, bool) override { ADD_FAILURE() << "nothing diverges here"; }
  void pump_retention_gap(const LinkPartition&, SourceOffset from, SourceOffset to, bool) override {
    gaps.emplace_back(from.value(), to.value());
  }
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition&, const Error&) override {}
  void pump_failed(const LinkPartition&, const Error& why) override { failures.push_back(why); }

  Task<void> grant(int32_t index) {
    Work& work = work_.at(index);
    while (work.pump->control_request().kind != ControlRequest::Kind::kNone) {
      const ControlRequest control_request = work.pump->control_request();
      const uint32_t generation = work.pump->generation();
      Result<TargetState> state = Error(ErrorCode::kInternal);
      if (control_request.kind == ControlRequest::Kind::kOpen) {
        state = co_await sink.open(key_of(index));
      } else if (control_request.kind == ControlRequest::Kind::kAdvance) {
        state = co_await sink.advance_log_start(key_of(index), work.pump->session(), control_request.offset);
      } else {
        auto cut =
            co_await sink.truncate(key_of(index), work.pump->session(), control_request.offset, control_request.epoch);
        state = cut.error();
      }
      if (state) {
        work.pump->on_target(generation, *state, {});
        continue;
      }
      open_errors.push_back(state.error());
      work.pump->on_control_failed(generation, state.error());
      co_await env.sleep(milliseconds(env.random().between(10, 100)));
    }
    work.controlling = false;
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
      int64_t count = env.random().between(1, source_batches_max_);
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

}  // namespace farshore::replicator
