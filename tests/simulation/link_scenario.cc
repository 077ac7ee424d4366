#include "tests/simulation/link_scenario.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/ensure.h"
#include "base/sim/disk.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/partition_table.h"
#include "broker/services.h"
#include "linker/gateway.h"
#include "tests/simulation/producer.h"

namespace farshore::simulation {
namespace {

constexpr Duration kProgressLimit = seconds(90);      // after healing: writes are acknowledged again
constexpr Duration kConvergenceLimit = seconds(120);  // and the mirror is the source
constexpr Duration kStopLimit = seconds(60);
constexpr const char* kEast = "east-1";
constexpr const char* kWest = "west-1";
constexpr const char* kGateway = "gateway";
constexpr const char* kClient = "client";

class LinkRun {
 public:
  explicit LinkRun(const RunOptions& options)
      : options_(options),
        world_(sim_options(options.seed)),
        random_(world_.random()),
        history_(kPartitions),
        fsync_(random_.chance(0.5)),
        power_losses_(random_.chance(0.5)),
        small_segments_(random_.chance(0.5)),
        bytewise_(random_.chance(0.1)) {}

  RunResult play() {
    if (bytewise_) world_.net().set_read_style(sim::ReadStyle::kBytes);
    start_broker(east_);
    start_broker(west_);
    start_gateway();
    start_producers();
    while (world_.now() < options_.length && history_.violations().empty()) {
      world_.run_for(milliseconds(random_.between(20, 1200)));
      look();
      fault();
      revive(0.6);
    }
    heal();
    finish();
    RunResult result;
    if (!world_.failure().empty()) history_.violation(world_.failure());
    result.hash = world_.hash();
    result.steps = world_.steps();
    result.virtual_time = world_.now();
    result.acknowledged = history_.acknowledgements();
    result.faults = faults_;
    result.how = std::string(fsync_ ? "fsync" : "page cache") + (power_losses_ ? ", power losses" : ", kills only") +
                 (bytewise_ ? ", reads of 1-3 bytes" : "");
    result.violations = history_.violations();
    result.history = history_;
    result.end = std::move(end_);
    if (!result.violations.empty() && options_.verbose) world_.print(stderr);
    return result;
  }

 private:
  struct Node {
    explicit Node(const char* h) : host(h) {}
    const char* host;
    sim::SimEnv* env = nullptr;
    broker::Broker* broker = nullptr;  // owned by the process
    bool started = false;
    std::array<int64_t, kPartitions> high_watermark{};  // of this incarnation
    bool up() const { return env && !env->dead() && started; }
  };

  static sim::SimOptions sim_options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  void say(const std::string& text) {
    if (options_.verbose) std::printf("%s %s\n", world_.time_text().c_str(), text.c_str());
  }

  // --- processes
  void start_broker(Node& node) {
    Config config(broker::broker_schema());
    const auto set = [&](const char* name, const std::string& value) {
      ensure(static_cast<bool>(config.set(name, value)), name);
    };
    set("listeners", "PLAINTEXT://" + std::string(node.host) + ":9092");
    set("log.dirs", "/data");
    set("durability", fsync_ ? "fsync" : "page-cache");
    if (small_segments_) set("log.segment.bytes", "20000");
    node.env = &world_.start_process(node.host, "broker");
    auto made = std::make_shared<broker::Broker>(*node.env, node.env->kv(), std::move(config));
    node.broker = made.get();
    node.started = false;
    node.high_watermark = {};
    world_.spawn(*node.env, start_task(node));
    node.env->hold(std::move(made));
    say(std::string("start ") + node.host);
  }
  Task<void> start_task(Node& node) {
    auto started = co_await node.broker->start();
    if (started)
      node.started = true;
    else
      history_.violation(std::string(node.host) + " does not start: " + started.error().to_string());
  }
  void start_gateway() {
    gateway_env_ = &world_.start_process(kGateway, "gateway");
    linker::GatewayOptions options;
    options.target.push_back(Endpoint{kWest, 9092});
    options.replicator.pump.test_only_resume_from_memory = options_.plant_resume_from_memory;
    auto made = std::make_shared<linker::Gateway>(*gateway_env_, gateway_env_->network(), std::move(options));
    gateway_ = made.get();
    world_.spawn(*gateway_env_, gateway_task());
    gateway_env_->hold(std::move(made));
    say("start gateway");
  }
  Task<void> gateway_task() {  // and the operator, who asks for a link until there is one
    sim::SimEnv& env = *gateway_env_;
    linker::Gateway& gateway = *gateway_;
    gateway.start();
    for (;;) {
      co_await env.sleep(milliseconds(200));
      if (!gateway.ready()) continue;
      auto links = co_await gateway.list_links();
      if (links && links->links_size() > 0) co_return;
      linker::api::CreateLinkRequest request;
      auto& spec = *request.mutable_spec();
      spec.set_name("east-west");
      spec.mutable_source()->set_bootstrap("east-1:9092");
      spec.mutable_target()->set_bootstrap("west-1:9092");
      spec.set_mode("mirror");
      spec.add_topics()->set_name("*");
      spec.set_group_sync(true);
      spec.set_topic_sync_interval_ms(1000);
      spec.set_on_divergence("truncate");
      auto created = co_await gateway.create_link(std::move(request), env.in(seconds(10)));
      create_error_ = created ? "" : created.error().to_string();
      if (created || created.error().code == ErrorCode::kAlreadyExists) co_return;
    }
  }
  void start_producers() {
    sim::SimEnv& env = world_.start_process(kClient, "client");
    for (bool idempotent : {true, false}) {
      auto made = std::make_shared<Producer>(env, Endpoint{kEast, 9092}, idempotent, history_, may_lose_);
      producers_.push_back(made.get());
      world_.spawn(env, made->run());
      env.hold(std::move(made));
    }
  }
  void revive(double chance) {
    if (east_.env->dead() && random_.chance(chance)) start_broker(east_);
    if (west_.env->dead() && random_.chance(chance)) start_broker(west_);
    if (gateway_env_->dead() && random_.chance(chance)) start_gateway();
    for (sim::SimEnv* env : {east_.env, west_.env, gateway_env_})
      if (!env->dead() && env->paused() && random_.chance(chance)) env->resume();
  }

  // --- faults
  void kill_at_resumption(sim::SimEnv& env) {
    if (env.dead()) return;
    const auto n = static_cast<uint64_t>(random_.between(1, random_.chance(0.5) ? 60 : 3000));
    say("will kill " + env.name() + " at resumption " + std::to_string(n));
    env.at_resumption(n, [this, &env] {
      if (healed_) return;
      look();
      world_.kill(env);
    });
  }
  void lose_power(Node& node) {
    look();
    if (&node == &east_ && !fsync_) may_lose_ = true;
    say(std::string("power off ") + node.host);
    world_.power_off(node.host);
  }
  const char* pick_host() {
    const std::array<const char*, 4> hosts = {kEast, kWest, kGateway, kClient};
    return hosts[random_.below(hosts.size())];
  }
  void fault() {
    ++faults_;
    auto& net = world_.net();
    const char* a = pick_host();
    const char* b = pick_host();
    switch (random_.below(14)) {
      case 0:
        return kill_at_resumption(*east_.env);
      case 1:
        return kill_at_resumption(*west_.env);
      case 2:
        return kill_at_resumption(*gateway_env_);
      case 3:
        say(std::string("partition ") + a + " " + b);
        return net.partition(a, b);
      case 4:
        say(std::string("cut ") + a + " -> " + b);
        return net.cut(a, b);
      case 5:
        say(std::string("reset of ") + a);
        return (void)net.reset_one(a);
      case 6:
        say(std::string("black hole at ") + a);
        return (void)net.black_hole_one(a, random_.chance(0.5));
      case 7:
        say("swizzle");
        return net.swizzle({kEast, kWest, kGateway}, seconds(2));
      case 8:
        say(std::string("clog ") + a + " -> " + b);
        return net.clog(a, b, milliseconds(random_.between(10, 5000)));
      case 9:
        if (power_losses_) return lose_power(random_.chance(0.5) ? east_ : west_);
        return net.heal();
      case 10: {
        say(std::string("slow ") + a + " -> " + b);
        sim::LinkProfile slow;
        slow.delay_min = milliseconds(random_.between(0, 80));
        slow.delay_max = slow.delay_min + milliseconds(random_.between(1, 200));
        slow.bytes_per_second = random_.chance(0.5) ? 200e6 : 300e3;
        return net.set_profile(a, b, slow);
      }
      case 11: {
        sim::SimEnv* env = std::array<sim::SimEnv*, 3>{east_.env, west_.env, gateway_env_}[random_.below(3)];
        if (env->dead()) return;
        say("pause " + env->name());
        return env->pause();
      }
      default:
        say("heal the network");
        net.heal();
    }
  }

  // --- what is on the disks, and what the brokers say, at this instant
  std::vector<StoredBatch> stored(const char* host, int32_t partition) {
    std::vector<StoredBatch> all;
    const auto& disk = world_.disk(host);
    const std::string folder = "/data/" + std::string(kTopic) + "-" + std::to_string(partition);
    for (const std::string& path : disk.files_under(folder)) {
      if (!path.ends_with(".log")) continue;
      const auto found = batches_of(disk.contents(path).value_or(""));
      all.insert(all.end(), found.begin(), found.end());
    }
    return all;
  }
  void look() {
    for (int32_t i = 0; i < kPartitions; ++i) {
      for (const StoredBatch& batch : stored(kEast, i)) history_.seen_at_source(i, batch);
      for (const StoredBatch& batch : stored(kWest, i)) history_.seen_at_mirror(i, batch);
    }
    look_at_ends(east_);
    look_at_ends(west_);
  }
  void look_at_ends(Node& node) {
    if (!node.up()) return;
    for (int32_t i = 0; i < kPartitions; ++i) {
      auto found = node.broker->services().partitions.find(std::string_view(kTopic), i);
      if (!found) continue;
      const LogEnds ends = (*found)->ends();
      const std::string name = std::string(node.host) + " partition " + std::to_string(i) + ": ";
      if (ends.log_start > ends.high_watermark || ends.high_watermark > ends.end ||
          ends.last_stable > ends.high_watermark || ends.flushed_end > ends.end)
        history_.violation(name + "its offsets contradict each other");
      if (fsync_ && ends.high_watermark > ends.flushed_end)
        history_.violation(name + "the high watermark passed what is durable");
      int64_t& last = node.high_watermark[static_cast<size_t>(i)];
      if (ends.high_watermark.value() < last && (&node == &east_ || !may_lose_))
        history_.violation(name + "the high watermark went back from " + std::to_string(last) + " to " +
                           std::to_string(ends.high_watermark.value()));
      last = ends.high_watermark.value();
    }
  }

  // --- the end
  void heal() {
    say("heal everything");
    healed_ = true;
    for (sim::SimEnv* env : {east_.env, west_.env, gateway_env_})
      if (!env->dead() && env->paused()) env->resume();
    world_.run_for(seconds(3));  // swizzles end
    world_.net().heal();
    for (const char* a : {kEast, kWest, kGateway, kClient})
      for (const char* b : {kEast, kWest, kGateway, kClient}) world_.net().set_profile(a, b, {});
    world_.net().set_read_style(sim::ReadStyle::kSeeded);
    revive(1);
  }
  bool in_sync() {
    if (!east_.up() || !west_.up()) return false;
    for (int32_t i = 0; i < kPartitions; ++i) {
      auto source = east_.broker->services().partitions.find(std::string_view(kTopic), i);
      auto mirror = west_.broker->services().partitions.find(std::string_view(kTopic), i);
      if (!source || !mirror) return false;
      const LogEnds from = (*source)->ends(), to = (*mirror)->ends();
      if (from.end != from.high_watermark || from.end != to.end || to.end != to.high_watermark) return false;
    }
    return true;
  }
  bool until(const std::function<bool()>& done, Duration limit) {
    return world_.run_until(done, limit) == sim::RunEnd::kDone;
  }
  void finish() {
    if (!history_.violations().empty()) return;
    const size_t before = history_.acknowledgements();
    if (!until([&] { return history_.acknowledgements() > before + 5; }, kProgressLimit))
      return history_.violation("nothing is acknowledged after healing");
    for (Producer* producer : producers_) producer->stop();
    if (!until([&] { return producers_[0]->stopped() && producers_[1]->stopped(); }, kStopLimit))
      return history_.violation("a producer does not end");
    if (!until([&] { return in_sync(); }, kConvergenceLimit)) return history_.violation(not_in_sync());
    world_.run_for(seconds(2));
    look();
    for (int32_t i = 0; i < kPartitions; ++i) {
      PartitionState state;
      read(east_, i, state.source);
      read(west_, i, state.mirror);
      end_.push_back(std::move(state));
    }
    history_.check_end(end_, may_lose_);
    if (random_.chance(0.5)) return;  // half of the runs end like a machine that is switched off
    if (!world_.run(*gateway_env_, gateway_->stop(), kStopLimit)) history_.violation("the gateway does not stop");
    for (Node* node : {&west_, &east_})
      if (!world_.run(*node->env, node->broker->stop(), kStopLimit))
        history_.violation(std::string(node->host) + " does not stop");
  }
  std::string not_in_sync() {
    std::string text = "the mirror does not converge: gateway " +
                       (gateway_->ready() ? std::string("ready") : gateway_->not_ready_reason());
    if (!create_error_.empty()) text += "; create link: " + create_error_;
    for (int32_t i = 0; i < kPartitions; ++i) {
      for (Node* node : {&east_, &west_}) {
        text += std::string("; ") + node->host + "-" + std::to_string(i) + " ";
        if (!node->up()) {
          text += "down";
          continue;
        }
        auto found = node->broker->services().partitions.find(std::string_view(kTopic), i);
        if (!found) {
          text += found.error().to_string();
          continue;
        }
        text += "end " + std::to_string((*found)->ends().end.value()) + " high watermark " +
                std::to_string((*found)->ends().high_watermark.value());
      }
    }
    (void)world_.run(*gateway_env_, describe(text), kStopLimit);
    return text;
  }
  Task<void> describe(std::string& text) {
    linker::api::ListMirrorsRequest request;
    request.set_link("east-west");
    auto mirrors = co_await gateway_->list_mirrors(std::move(request));
    if (!mirrors) {
      text += "; mirrors: " + mirrors.error().to_string();
      co_return;
    }
    for (const auto& mirror : mirrors->mirrors()) text += "; mirror " + mirror.ShortDebugString();
  }
  void read(Node& node, int32_t partition, std::string& into) {
    auto found = node.broker->services().partitions.find(std::string_view(kTopic), partition);
    if (!found) return history_.violation("a partition cannot be read at the end: " + found.error().to_string());
    if (!world_.run(*node.env, read_task(*found, into), kStopLimit))
      history_.violation(std::string(node.host) + " does not answer a read");
  }
  Task<void> read_task(broker::PartitionPtr partition, std::string& into) {
    Offset from = partition->ends().log_start;
    while (from < partition->ends().high_watermark) {
      auto run = co_await partition->log().read_run(from, ReadBound::kHighWatermark, 1 << 20);
      if (!run) {
        history_.violation("a read fails at the end: " + run.error().to_string());
        co_return;
      }
      if (run->empty()) {
        history_.violation("a read below the high watermark finds nothing");
        co_return;
      }
      std::string piece(run->bytes.size(), '\0');
      run->bytes.copy_out(0, std::as_writable_bytes(std::span(piece.data(), piece.size())));
      into += piece;
      from = run->next();
    }
  }

  const RunOptions options_;
  sim::SimWorld world_;
  Random& random_;
  History history_;
  const bool fsync_, power_losses_, small_segments_, bytewise_;
  bool may_lose_ = false, healed_ = false;
  size_t faults_ = 0;
  Node east_{kEast}, west_{kWest};
  sim::SimEnv* gateway_env_ = nullptr;
  linker::Gateway* gateway_ = nullptr;
  std::vector<Producer*> producers_;  // owned by their process
  std::string create_error_;
  std::vector<PartitionState> end_;
};

}  // namespace

RunResult run_link(const RunOptions& options) {
  auto run = std::make_unique<LinkRun>(options);
  return run->play();
}

}  // namespace farshore::simulation
