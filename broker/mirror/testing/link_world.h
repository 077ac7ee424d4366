// For tests: two brokers, east and west, and a gateway that mirrors from one to the other, each on its own simulated
// host. Any of them may be killed and started again.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sim/disk.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"
#include "proto/kafka/messages/mirror_control.h"
#include "proto/kafka/messages/produce.h"
#include "replicator/mirror_sink.h"
#include "replicator/replicator.h"

namespace farshore::broker {

// The events that the pumps of a gateway reported.
class LinkEvents final : public replicator::PumpListener {
 public:
  void pump_caught_up(const LinkPartition&) override { ++caught_up; }
  void pump_diverged(const LinkPartition& key, replicator::LostRange lost, bool cut) override {
    diverged.push_back({key.partition.value(), lost, cut});
  }
  void pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool) override {
    gaps.push_back({key.partition.value(), {from, to}, true});
  }
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition&, const Error& why) override { gone.push_back(why); }
  void pump_failed(const LinkPartition&, const Error& why) override { failed.push_back(why); }

  struct Range {
    int32_t partition;
    replicator::LostRange range;
    bool cut;
  };
  int caught_up = 0;
  std::vector<Range> diverged, gaps;
  std::vector<Error> gone, failed;
};

class LinkWorld {
 public:
  static constexpr Duration kLimit = seconds(300);
  static constexpr int32_t kPartitions = 3;
  static inline const LinkId kLink{{7, 7, 7}};

  explicit LinkWorld(uint64_t seed) : world_(sim_options(seed)), client_(&world_.start_process("client", "client")) {
    ::testing::Test::RecordProperty("seed", std::to_string(seed));
  }
  ~LinkWorld() {
    kill_gateway();
    for (auto& [host, node] : nodes_) {
      if (node.broker && !node.env->dead()) (void)world_.run(*node.env, node.broker->stop(), kLimit);
    }
  }

  sim::SimWorld& world() { return world_; }
  Env& client() { return *client_; }
  sim::SimEnv& client_env() { return *client_; }
  static Endpoint endpoint(const std::string& host) { return Endpoint{host, 9092}; }
  void run(Task<void> task) { ASSERT_TRUE(world_.run(*client_, std::move(task), kLimit)) << "it did not end"; }
  bool until(const std::function<bool()>& done, Duration limit) {
    return world_.run_until(done, limit) == sim::RunEnd::kDone;
  }

  // --- brokers
  std::map<std::string, std::string> settings;  // of brokers that are started from now on
  void start_broker(const std::string& host) {
    Node& node = nodes_[host];
    Config config(broker_schema());
    EXPECT_TRUE(config.set("listeners", "PLAINTEXT://" + host + ":9092"));
    EXPECT_TRUE(config.set("log.dirs", "/data"));
    EXPECT_TRUE(config.set("log.segment.bytes", "20000"));
    for (const auto& [name, value] : settings) EXPECT_TRUE(config.set(name, value));
    node.env = &world_.start_process(host, "broker");
    node.broker = std::make_unique<Broker>(*node.env, node.env->kv(), std::move(config));
    Status result = Error(ErrorCode::kInternal, "did not end");
    ASSERT_TRUE(world_.run(*node.env, start_task(*node.broker, result), kLimit));
    ASSERT_TRUE(result) << result.error().to_string();
  }
  void kill_broker(const std::string& host) {
    Node& node = nodes_[host];
    if (!node.broker) return;
    world_.kill(*node.env);
    node.broker.reset();
  }
  void power_off(const std::string& host, sim::PowerLoss how) {
    Node& node = nodes_[host];
    world_.power_off(host, how);
    node.broker.reset();
    world_.power_on(host);
  }
  void stop_broker(const std::string& host) {
    Node& node = nodes_[host];
    EXPECT_TRUE(world_.run(*node.env, node.broker->stop(), kLimit));
    kill_broker(host);
  }
  Broker& broker(const std::string& host) { return *nodes_[host].broker; }
  sim::SimEnv& broker_env(const std::string& host) { return *nodes_[host].env; }
  PartitionPtr partition(const std::string& host, int32_t index) {
    auto found = broker(host).services().partitions.find(std::string_view("orders"), index);
    EXPECT_TRUE(found) << host << " orders-" << index;
    return found ? *found : nullptr;
  }
  // The bytes of a partition's log, from `from` on.
  std::string bytes(const std::string& host, int32_t index, Offset from) {
    std::string all;
    PartitionPtr partition = this->partition(host, index);
    EXPECT_TRUE(world_.run(*nodes_[host].env, read_task(partition, from, all), kLimit));
    return all;
  }

  // --- topics
  void make_topics() {
    run(create_source());
    run(create_mirror(kMirrorEpoch, mirror_id_));
  }
  static constexpr int64_t kMirrorEpoch = 1;
  const TopicId& source_id() const { return source_id_; }
  const TopicId& mirror_id() const { return mirror_id_; }

  // --- the gateway
  struct Gateway {
    Gateway(sim::SimEnv& e, LinkEpoch epoch, replicator::ReplicatorOptions options)
        : env(e),
          source(env, env.network(), cluster("east-1")),
          target(env, env.network(), cluster("west-1")),
          sink(env, target, kLink, epoch, {}),
          replicator(env, arena, source, sink, kLink, options, events) {}
    static kafka::ClusterOptions cluster(const std::string& host) {
      kafka::ClusterOptions options;
      options.bootstrap.push_back(endpoint(host));
      return options;
    }
    sim::SimEnv& env;
    SlabArena arena;
    LinkEvents events;
    kafka::ClusterClient source, target;
    replicator::MirrorSink sink;
    replicator::Replicator replicator;
  };
  // Several may run at once, to see them fence each other; `gateway()` is the one started last.
  Gateway& start_gateway(int64_t epoch = kMirrorEpoch, replicator::ReplicatorOptions options = {},
                         std::string host = "gateway") {
    sim::SimEnv& env = world_.start_process(host, "gateway");
    gateways_.push_back(std::make_unique<Gateway>(env, LinkEpoch(epoch), options));
    Gateway& made = *gateways_.back();
    for (int32_t i = 0; i < kPartitions; ++i) world_.spawn(env, add_task(made, spec_of(i)));
    world_.spawn(env, made.replicator.run());
    return made;
  }
  Gateway& gateway() { return *gateways_.back(); }
  // Takes a partition out of the link and puts it back at once, whatever is under way for it.
  void take_out_and_put_back(int32_t partition) {
    world_.spawn(gateway().env, replace_task(gateway(), spec_of(partition)));
  }
  void kill_gateway() {
    for (auto& gateway : gateways_) {
      if (!gateway->env.dead()) world_.kill(gateway->env);
    }
    gateways_.clear();
  }
  bool in_sync() {
    for (int32_t i = 0; i < kPartitions; ++i) {
      if (partition("east-1", i)->ends().end != partition("west-1", i)->ends().high_watermark) return false;
    }
    return true;
  }
  void expect_same_bytes() {
    for (int32_t i = 0; i < kPartitions; ++i) {
      LogEnds east = partition("east-1", i)->ends(), west = partition("west-1", i)->ends();
      EXPECT_EQ(east.end, west.end) << i;
      Offset from = std::max(east.log_start, west.log_start);
      std::string source = bytes("east-1", i, from), mirror = bytes("west-1", i, from);
      EXPECT_TRUE(source == mirror) << "partition " << i << " differs: " << source.size() << " bytes at the source, "
                                    << mirror.size() << " at the mirror";
      EXPECT_EQ(source.empty(), east.end == from);
    }
  }

  // --- a producer: goes on whatever happens, and counts what was acknowledged
  struct Producer {
    bool stop = false, stopped = false;
    int64_t acked = 0;
    std::map<int32_t, int64_t> end;  // by partition: behind the last acknowledged offset
  };
  void start_producer(Producer& producer) { world_.spawn(*client_, produce_task(producer)); }
  void stop_producer(Producer& producer) {
    producer.stop = true;
    ASSERT_TRUE(until([&] { return producer.stopped; }, kLimit));
  }
  Task<void> produce(int32_t partition, int records, std::string value, bool* done) {
    *done = false;
    TestClient client(*client_);
    auto connected = co_await client.connect(endpoint("east-1"));
    if (!connected) co_return;
    auto offset = co_await produce_once(client, partition, records, value);
    *done = offset >= 0;
  }

  Task<Result<kafka::MirrorControlResponse>> control(kafka::MirrorControlRequest request, std::string host) {
    TestClient client(*client_);
    CO_CHECK(co_await client.connect(endpoint(host)));
    request.timeout_ms = 10000;
    co_return co_await client.call(std::move(request), kafka::MirrorControlRequest::kMaxVersion);
  }

 private:
  struct Node {
    sim::SimEnv* env = nullptr;
    std::unique_ptr<Broker> broker;
  };
  static sim::SimOptions sim_options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  static Task<void> start_task(Broker& broker, Status& result) { result = co_await broker.start(); }
  static Task<void> read_task(PartitionPtr partition, Offset from, std::string& all) {
    while (from < partition->ends().end) {
      auto run = co_await partition->log().read_run(from, ReadBound::kLogEnd, 1 << 20);
      if (!run || run->empty()) co_return;
      std::string piece(run->bytes.size(), '\0');
      run->bytes.copy_out(0, std::as_writable_bytes(std::span(piece.data(), piece.size())));
      all += piece;
      from = run->next();
    }
  }
  replicator::PartitionSpec spec_of(int32_t partition) {
    replicator::PartitionSpec spec;
    spec.source_topic = "orders";
    spec.source_topic_id = SourceTopicId(source_id_);
    spec.partition = partition;
    spec.target = {"orders", TargetTopicId(mirror_id_)};
    return spec;
  }
  static Task<void> replace_task(Gateway& gateway, replicator::PartitionSpec spec) {
    gateway.replicator.remove({kLink, spec.source_topic_id, PartitionId(spec.partition)});
    gateway.replicator.add(std::move(spec));
    co_return;
  }
  static Task<void> add_task(Gateway& gateway, replicator::PartitionSpec spec) {
    gateway.replicator.add(std::move(spec));
    co_return;
  }
  Task<void> create_source() {
    TestClient client(*client_);
    FARSHORE_CO_REQUIRE(co_await client.connect(endpoint("east-1")));
    auto request = new_topic("orders", kPartitions);
    auto made = co_await client.call(std::move(request), 7);
    FARSHORE_CO_REQUIRE(made && made->topics[0].error_code == 0);
    source_id_ = made->topics[0].topic_id;
    if (source_id_.is_zero()) source_id_ = broker("east-1").image()->topic("orders")->id;
  }
  Task<void> create_mirror(int64_t epoch, TopicId& id) {
    kafka::MirrorControlRequest request;
    request.link_id = kLink.value();
    request.link_epoch = epoch;
    request.op = wire_value(MirrorOperation::kCreateTopic);
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    topic.source_cluster_id = broker("east-1").image()->cluster_id;
    topic.source_topic = "orders";
    topic.source_topic_id = source_id_;
    topic.num_partitions = kPartitions;
    auto response = co_await control(std::move(request), "west-1");
    FARSHORE_CO_REQUIRE(response && response->topics.size() == 1);
    EXPECT_EQ(response->topics[0].error_code, 0) << response->topics[0].error_message.value_or("");
    id = response->topics[0].topic_id;
  }
  Task<int64_t> produce_once(TestClient& client, int32_t partition, int records, std::string value) {
    BatchBuilder builder;
    for (int i = 0; i < records; ++i) builder.add(1'700'000'000'000, "key", value);
    auto batch = builder.build();
    kafka::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 5000;
    auto& data = request.topic_data.emplace_back();
    data.name = "orders";
    auto& to = data.partition_data.emplace_back();
    to.index = partition;
    to.records = kafka::Records::view(batch);
    auto response = co_await client.call(std::move(request), 9);
    if (!response || response->responses.empty()) co_return -1;
    const auto& answer = response->responses[0].partition_responses[0];
    co_return answer.error_code == 0 ? answer.base_offset + records : -1;
  }
  Task<void> produce_task(Producer& producer) {
    std::unique_ptr<TestClient> client;
    while (!producer.stop) {
      if (!client) {
        client = std::make_unique<TestClient>(*client_);
        auto connected = co_await client->connect(endpoint("east-1"));
        if (!connected) {
          client.reset();
          co_await client_->sleep(milliseconds(100));
          continue;
        }
      }
      const auto partition = static_cast<int32_t>(client_->random().below(kPartitions));
      const int records = static_cast<int>(client_->random().between(1, 5));
      std::string value(static_cast<size_t>(client_->random().between(1, 3000)), 'v');
      int64_t end = co_await produce_once(*client, partition, records, std::move(value));
      if (end < 0) {
        client.reset();
      } else {
        producer.acked += records;
        producer.end[partition] = end;
      }
      co_await client_->sleep(milliseconds(client_->random().between(1, 40)));
    }
    producer.stopped = true;
  }

  sim::SimWorld world_;
  sim::SimEnv* client_;
  std::map<std::string, Node> nodes_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  TopicId source_id_, mirror_id_;
};

}  // namespace farshore::broker
