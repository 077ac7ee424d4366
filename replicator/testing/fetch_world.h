// For tests: FetchWorld, a fake Kafka source and a Fetcher with one pump, in virtual time, over a way of any length.
// The target is a list: expect_the_source_s_log() compares it with the source.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/fake_kafka.h"
#include "replicator/fetcher.h"

namespace farshore::replicator {

inline constexpr char kTopic[] = "orders";
inline constexpr size_t kAskBytes = 256 << 10;

// A fetcher with one pump, whose target takes what comes after `target_takes` and remembers it.
class Mirror final : private PumpDriver, private PumpListener, private FetcherOwner {
 public:
  Mirror(sim::SimEnv& env, const TopicId& topic, FetcherOptions options, size_t budget_bytes, size_t buffered_bytes_max)
      : env_(env),
        options_(options),
        source_(env, env.network(), cluster()),
        budget_(env, "in flight", budget_bytes),
        gate_(env) {
    pump_options_.buffered_bytes_max = buffered_bytes_max;
    pump =
        std::make_unique<PartitionPump>(LinkPartition{LinkId{{1}}, SourceTopicId(topic), PartitionId(0)}, pump_options_,
                                        static_cast<PumpDriver&>(*this), static_cast<PumpListener&>(*this));
    fetcher = std::make_unique<Fetcher>(env_, source_, 1, arena_, budget_, options_, static_cast<FetcherOwner&>(*this));
    open();
    fetcher->add(*pump, kTopic, LeadershipEpoch(0));
    spawn(gate_, "fetcher", fetch());
    spawn(gate_, "target", take());
  }

  ~Mirror() override {  // before the arena
    fetcher.reset();
    pump.reset();
  }

  void open() {
    TargetState state;
    state.end = SourceOffset(end);
    state.last_epoch = LogEpoch(end > 0 ? 0 : -1);
    state.session = PumpSession(1);
    pump->on_target(pump->generation(), state, {});
  }

  std::unique_ptr<PartitionPump> pump;
  std::unique_ptr<Fetcher> fetcher;
  std::vector<std::pair<int64_t, uint32_t>> batches;  // first offset and CRC of all that the target took
  int64_t end = 0;
  Duration target_takes{};  // per run of batches
  size_t held_most = 0;
  int gaps = 0;
  bool holds = false;  // the target takes nothing

 private:
  static kafka::ClusterOptions cluster() {
    kafka::ClusterOptions options;
    options.bootstrap.push_back(Endpoint{"east", 9092});
    return options;
  }
  Task<void> fetch() {
    for (;;) {
      std::vector<std::string> names(1, kTopic);
      auto view = co_await source_.refresh(std::move(names), env_.in(seconds(5)));
      if (view) break;
      co_await env_.sleep(milliseconds(50));
    }
    co_await fetcher->run();
  }
  Task<void> take() {
    for (;;) {
      held_most = std::max(held_most, budget_.used_bytes());
      auto pumped = holds ? std::nullopt : pump->take(1 << 20);
      if (!pumped) {
        co_await env_.sleep(milliseconds(1));
        continue;
      }
      if (target_takes > Duration(0)) co_await env_.sleep(target_takes);
      for (const BatchHeader& batch : pumped->run.batches) batches.emplace_back(batch.first().value(), batch.crc);
      AppendAck ack;
      if (!pumped->run.empty()) end = pumped->run.next().value();
      ack.end = ack.high_watermark = SourceOffset(end);
      pump->on_appended(pumped->generation, ack);
    }
  }
  void pump_can_send(PartitionPump&) override {}
  void pump_fetch_changed(PartitionPump& which) override {
    if (fetcher) fetcher->changed(which.key());
  }
  void pump_needs_control(PartitionPump&) override {}
  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition&, LostRange, bool) override { ADD_FAILURE() << "nothing diverges here"; }
  void pump_retention_gap(const LinkPartition&, SourceOffset, SourceOffset, bool) override { ++gaps; }
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition&, const Error&) override {}
  void pump_failed(const LinkPartition&, const Error& why) override { ADD_FAILURE() << why.to_string(); }
  void fetcher_lost_partition(const LinkPartition&) override {}
  Duration target_round_trip() const override { return {}; }

  sim::SimEnv& env_;
  PumpOptions pump_options_;
  FetcherOptions options_;
  SlabArena arena_;
  kafka::ClusterClient source_;
  Budget budget_;
  Gate gate_;
};

class FetchWorld {
 public:
  explicit FetchWorld(Duration one_way, uint64_t seed = 1) : world_(options_of(seed)) {
    sim::LinkProfile profile;
    profile.delay_min = one_way;
    profile.delay_max = one_way + microseconds(100);
    world_.net().set_default_profile(profile);
    world_.net().set_window(8 << 20);
    options.ahead_ask_bytes = options.partition_bytes_max = kAskBytes;
    start_source();
  }
  ~FetchWorld() {
    for (sim::SimEnv* env : {gateway_, east_})
      if (env && !env->dead()) world_.kill(*env);
    mirror_.reset();
    source.reset();
  }
  // Batches of about `bytes_max` at most, with between 1 and `records_max` records; what they are depends on the seed.
  void fill(size_t bytes, size_t record_bytes_min, size_t record_bytes_max, int records_max) {
    auto& partition = source->partition(kTopic, 0);
    size_t made = 0;
    while (made < bytes) {
      BatchBuilder builder;
      builder.base_offset(partition.end).leader_epoch(0);
      const int64_t records = random_.between(1, records_max);
      const auto size = static_cast<size_t>(
          random_.between(static_cast<int64_t>(record_bytes_min), static_cast<int64_t>(record_bytes_max)));
      for (int64_t i = 0; i < records; ++i)
        builder.add(0, "key", std::string(size, static_cast<char>('a' + made % 26)));
      made += records * size;
      source->append(kTopic, 0, builder.build());
    }
  }
  Mirror& start_mirror(size_t budget_bytes = 16 << 20, size_t buffered_bytes_max = 16 << 20) {
    gateway_ = &world_.start_process("gateway", "gateway");
    mirror_ =
        std::make_unique<Mirror>(*gateway_, source->topics.at(kTopic).id, options, budget_bytes, buffered_bytes_max);
    begun_ = gateway_->now();
    return *mirror_;
  }
  void restart_source() {
    auto topics = source->topics;
    world_.kill(*east_);
    source.reset();
    start_source();
    source->topics = std::move(topics);
  }
  bool until(const std::function<bool()>& done, Duration limit = seconds(120)) {
    return world_.run_until(done, limit) == sim::RunEnd::kDone;
  }
  bool until_mirrored() {
    return until([&] { return mirror_->end == source->partition(kTopic, 0).end; });
  }
  Duration took() { return gateway_->now() - begun_; }
  void expect_the_source_s_log(int64_t from = 0) {
    std::vector<std::pair<int64_t, uint32_t>> theirs;
    for (const auto& batch : source->partition(kTopic, 0).log)
      if (batch.header.first().value() >= from) theirs.emplace_back(batch.header.first().value(), batch.header.crc);
    EXPECT_EQ(mirror_->batches, theirs);
  }

  FetcherOptions options;
  std::unique_ptr<kafka::FakeKafka> source;

 private:
  static sim::SimOptions options_of(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  void start_source() {
    east_ = &world_.start_process("east", "kafka");
    source = std::make_unique<kafka::FakeKafka>(*east_, Endpoint{"east", 9092});
    source->short_fetch_bytes_max = 0;
    if (source->topics.empty()) source->add_topic(kTopic, 1);
    world_.spawn(*east_, source->run());
  }

  sim::SimWorld world_;
  Random random_{7};
  sim::SimEnv* east_ = nullptr;
  sim::SimEnv* gateway_ = nullptr;
  std::unique_ptr<Mirror> mirror_;
  MonoTime begun_;
};

}  // namespace farshore::replicator
