#include "tests/simulation/lifecycle_scenario.h"

#include <memory>

#include "broker/broker.h"
#include "tests/simulation/end_check.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/intruder.h"
#include "tests/simulation/leftovers.h"
#include "tests/simulation/losses.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/settlement.h"
#include "tests/simulation/source_user.h"

namespace farshore::simulation {
namespace {

constexpr size_t kOperators = 3;
constexpr size_t kGatewaysHere = 2;
constexpr Duration kStartLimit = seconds(10);  // of a broker after a power loss
constexpr double kDeleted = 0.5;               // so often the link is deleted at the end

class LifecycleRun {
 public:
  explicit LifecycleRun(const RunOptions& options)
      : options_(options),
        history_(kPartitions),
        clusters_(options_, history_, kGatewaysHere),
        watch_(clusters_),
        figures_(clusters_),
        losses_(clusters_),
        ends_(clusters_, watch_, figures_),
        faults_(clusters_, [this] { look(); }),
        random_(options_.seed ^ 0x6c69666563796365) {
    for (size_t i = 0; i < kOperators; ++i)
      operators_.push_back(std::make_unique<Operator>(clusters_, options_.seed * kOperators + i));
  }

  LifecycleResult play() {
    sim::SimWorld& world = clusters_.world();
    clusters_.start();
    start_user();
    while (world.now() < options_.length && history_.violations().empty()) {
      world.run_for(milliseconds(clusters_.random().between(20, 900)));
      look();
      operators_[clusters_.random().below(kOperators)]->ask_something();
      if (clusters_.random().chance(0.4)) faults_.one();
      if (random_.chance(0.08)) promote_after_a_loss();
      if (random_.chance(0.08)) end_and_kill_the_target();
      clusters_.revive(0.6);
      overdue();
    }
    if (history_.violations().empty()) finish();
    LifecycleResult result;
    if (!world.failure().empty()) history_.violation(world.failure());
    result.hash = world.hash();
    result.steps = world.steps();
    result.written = user_->written();
    for (const auto& one : operators_) result.answers += one->answers();
    result.faults = faults_.count();
    result.losses = losses_.seen();
    result.intrusions = intruder_->tries();
    result.how = clusters_.how();
    if (settlement_) {
      result.active = settlement_->active();
      result.ended = settlement_->ended();
    }
    result.violations = history_.violations();
    if (!result.violations.empty() && options_.verbose) world.print(stderr);
    return result;
  }

 private:
  void start_user() {
    client_ = &clusters_.world().start_process(kClient, "client");
    auto made = std::make_shared<SourceUser>(*client_, Endpoint{kEast, 9092});
    user_ = made.get();
    clusters_.world().spawn(*client_, made->run());
    client_->hold(std::move(made));
    auto wrong = std::make_shared<Intruder>(clusters_, *client_, options_.seed ^ 0x696e747275646572);
    intruder_ = wrong.get();
    clusters_.world().spawn(*client_, wrong->run());
    client_->hold(std::move(wrong));
  }

  void look() {
    figures_.look();
    losses_.look();
    ends_.look();
  }
  std::string a_topic() { return kLifecycleTopics[random_.below(std::size(kLifecycleTopics))]; }

  // The source loses its power, perhaps its last records, and a topic is promoted before the gateways know of it.
  void promote_after_a_loss() {
    if (!clusters_.power_losses() || !clusters_.east().up()) return;
    faults_.lose_power(clusters_.east());
    clusters_.revive(1);
    if (!clusters_.until([&] { return clusters_.east().up(); }, kStartLimit)) return;
    operators_[0]->ask_for("promote", a_topic());
    operators_[1]->ask_for("promote", a_topic());
  }

  // The target loses its power, or its process, after the end of a mirror has begun there.
  void end_and_kill_the_target() {
    if (!clusters_.west().up()) return;
    operators_[0]->ask_for(random_.chance(0.5) ? "promote" : "failover", a_topic());
    if (random_.chance(0.5)) return faults_.kill_at_resumption(*clusters_.west().env, 200);
    clusters_.world().run_for(milliseconds(random_.between(0, 200)));
    if (clusters_.power_losses()) faults_.lose_power(clusters_.west());
  }

  void overdue() {
    for (const auto& one : operators_)
      if (std::string text = one->overdue(); !text.empty()) history_.violation(text);
  }

  void finish() {
    faults_.end();
    clusters_.heal();
    user_->stop();
    intruder_->stop();
    const auto quiet = [this] {
      for (const auto& one : operators_)
        if (!one->idle()) return false;
      return user_->stopped() && intruder_->stopped();
    };
    if (!clusters_.until(quiet, seconds(120))) {
      overdue();
      return history_.violation("verbs or the client do not end");
    }
    settlement_ = std::make_unique<Settlement>(clusters_, watch_, *operators_[0], *user_, *client_);
    if (!settle("after the faults")) return;
    settlement_->check_one_owner();
    settlement_->check_writable();
    if (!fresh_gateway()) return;
    if (!random_.chance(kDeleted)) return;
    Leftovers leftovers(clusters_, *operators_[0], *settlement_, options_.seed ^ 0x6c656674);
    leftovers.check();
  }

  bool settle(const char* when) {
    if (!settlement_->reach(when)) return false;
    look();
    settlement_->check_equal();
    settlement_->check_groups();
    ends_.check_all();
    return history_.violations().empty();
  }

  // Another gateway, which remembers nothing, shows the same.
  bool fresh_gateway() {
    const size_t active = settlement_->active(), ended = settlement_->ended();
    for (GatewayNode& node : clusters_.gateways())
      if (node.up()) clusters_.world().kill(*node.env);
    if (!settle("with a fresh gateway")) return false;
    if (settlement_->active() != active || settlement_->ended() != ended)
      history_.violation("a fresh gateway shows " + std::to_string(settlement_->active()) + " topics mirrored and " +
                         std::to_string(settlement_->ended()) + " ended, the one before " + std::to_string(active) +
                         " and " + std::to_string(ended));
    return history_.violations().empty();
  }

  const RunOptions options_;
  History history_;
  Clusters clusters_;
  Watch watch_;
  Figures figures_;
  Losses losses_;
  EndCheck ends_;
  Faults faults_;
  Random random_;  // of its own: what the scenario does beside the faults
  std::vector<std::unique_ptr<Operator>> operators_;
  sim::SimEnv* client_ = nullptr;
  SourceUser* user_ = nullptr;  // owned by its process, as the next one
  Intruder* intruder_ = nullptr;
  std::unique_ptr<Settlement> settlement_;
};

}  // namespace

LifecycleResult run_lifecycle(const RunOptions& options) {
  auto run = std::make_unique<LifecycleRun>(options);
  return run->play();
}

}  // namespace farshore::simulation
