#include "tests/simulation/lifecycle_scenario.h"

#include <memory>

#include "broker/broker.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/settlement.h"
#include "tests/simulation/source_user.h"

namespace farshore::simulation {
namespace {

constexpr size_t kOperators = 3;
constexpr size_t kGatewaysHere = 2;

class LifecycleRun {
 public:
  explicit LifecycleRun(const RunOptions& options)
      : options_(options),
        history_(kPartitions),
        clusters_(options_, history_, kGatewaysHere),
        watch_(clusters_),
        faults_(clusters_, [] {}) {
    for (size_t i = 0; i < kOperators; ++i)
      operators_.push_back(std::make_unique<Operator>(clusters_, options_.seed * kOperators + i));
  }

  LifecycleResult play() {
    sim::SimWorld& world = clusters_.world();
    clusters_.start();
    start_user();
    while (world.now() < options_.length && history_.violations().empty()) {
      world.run_for(milliseconds(clusters_.random().between(20, 900)));
      operators_[clusters_.random().below(kOperators)]->ask_something();
      if (clusters_.random().chance(0.4)) faults_.one();
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
  }

  void overdue() {
    for (const auto& one : operators_)
      if (std::string text = one->overdue(); !text.empty()) history_.violation(text);
  }

  void finish() {
    faults_.end();
    clusters_.heal();
    user_->stop();
    const auto quiet = [this] {
      for (const auto& one : operators_)
        if (!one->idle()) return false;
      return user_->stopped();
    };
    if (!clusters_.until(quiet, seconds(120))) {
      overdue();
      return history_.violation("verbs or the client do not end");
    }
    settlement_ = std::make_unique<Settlement>(clusters_, watch_, *operators_[0], *user_, *client_);
    if (!settlement_->reach("after the faults")) return;
    settlement_->check_equal();
    settlement_->check_writable();
    fresh_gateway();
  }

  // Another gateway, which remembers nothing, shows the same.
  void fresh_gateway() {
    const size_t active = settlement_->active(), ended = settlement_->ended();
    for (GatewayNode& node : clusters_.gateways())
      if (node.up()) clusters_.world().kill(*node.env);
    if (!settlement_->reach("with a fresh gateway")) return;
    settlement_->check_equal();
    if (settlement_->active() != active || settlement_->ended() != ended)
      history_.violation("a fresh gateway shows " + std::to_string(settlement_->active()) + " topics mirrored and " +
                         std::to_string(settlement_->ended()) + " ended, the one before " + std::to_string(active) +
                         " and " + std::to_string(ended));
  }

  const RunOptions options_;
  History history_;
  Clusters clusters_;
  Watch watch_;
  Faults faults_;
  std::vector<std::unique_ptr<Operator>> operators_;
  sim::SimEnv* client_ = nullptr;
  SourceUser* user_ = nullptr;  // owned by its process
  std::unique_ptr<Settlement> settlement_;
};

}  // namespace

LifecycleResult run_lifecycle(const RunOptions& options) {
  auto run = std::make_unique<LifecycleRun>(options);
  return run->play();
}

}  // namespace farshore::simulation
