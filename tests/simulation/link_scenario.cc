#include "tests/simulation/link_scenario.h"

#include <memory>

#include "broker/broker.h"
#include "tests/simulation/clusters.h"
#include "tests/simulation/ending.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/losses.h"
#include "tests/simulation/watch.h"

namespace farshore::simulation {
namespace {

class LinkRun {
 public:
  explicit LinkRun(const RunOptions& options)
      : options_(options),
        history_(kPartitions),
        clusters_(options_, history_),
        watch_(clusters_),
        figures_(clusters_),
        losses_(clusters_),
        faults_(clusters_, [this] { look(); }) {
    const double drawn = clusters_.random().unit();
    if (drawn < 0.25) kind_ = EndKind::kPromote;
    if (drawn >= 0.25 && drawn < 0.5) kind_ = EndKind::kFailover;
  }

  RunResult play() {
    sim::SimWorld& world = clusters_.world();
    clusters_.start();
    start_clients();
    while (world.now() < options_.length && history_.violations().empty()) {
      world.run_for(milliseconds(clusters_.random().between(20, 1200)));
      look();
      faults_.one();
      clusters_.revive(0.6);
    }
    Ending ending(clusters_, watch_, faults_, producers_, committer_);
    if (history_.violations().empty()) finish(ending);
    RunResult result;
    if (!world.failure().empty()) history_.violation(world.failure());
    result.hash = world.hash();
    result.steps = world.steps();
    result.virtual_time = world.now();
    result.acknowledged = history_.acknowledgements();
    result.commits = committer_->commits();
    result.faults = faults_.count();
    result.how = clusters_.how() + (kind_ == EndKind::kPromote    ? "; promoted"
                                    : kind_ == EndKind::kConverge ? "; converged"
                                    : ending.nothing_to_end       ? "; lost before there was a mirror"
                                                                  : "; failed over");
    result.kind = kind_;
    result.violations = history_.violations();
    result.history = history_;
    result.end = std::move(ending.end);
    if (!result.violations.empty() && options_.verbose) world.print(stderr);
    return result;
  }

 private:
  void look() {
    watch_.look();
    look_at_figures();
  }
  void look_at_figures() {
    figures_.look();
    losses_.look();
  }

  void start_clients() {
    sim::SimEnv& env = clusters_.world().start_process(kClient, "client");
    for (bool idempotent : {true, false}) {
      auto made = std::make_shared<Producer>(env, Endpoint{kEast, 9092}, idempotent, history_, clusters_.east().lost);
      producers_.push_back(made.get());
      clusters_.world().spawn(env, made->run());
      env.hold(std::move(made));
    }
    auto made = std::make_shared<Committer>(env, Endpoint{kEast, 9092}, history_);
    committer_ = made.get();
    clusters_.world().spawn(env, made->run());
    env.hold(std::move(made));
  }

  void finish(Ending& ending) {
    if (kind_ == EndKind::kFailover) {  // the region is lost in the middle of it all; what is left is healed
      clusters_.lose_east_for_good();
      faults_.end();
      look();
      if (clusters_.power_losses())
        faults_.lose_power(clusters_.east());
      else
        clusters_.kill(clusters_.east());
    } else {
      faults_.end();
    }
    clusters_.heal();
    if (kind_ == EndKind::kConverge) ending.converge();
    if (kind_ == EndKind::kPromote) ending.promote();
    if (kind_ == EndKind::kFailover) ending.fail_over();
    look_at_figures();
    if (!history_.violations().empty() || ending.nothing_to_end) return;
    if (clusters_.random().chance(0.5)) return;  // half of the runs end like a machine that is switched off
    faults_.end();
    clusters_.revive(1);
    sim::SimWorld& world = clusters_.world();
    if (!clusters_.until([&] { return clusters_.west().up(); }, kStopLimit))
      return history_.violation("the target does not start");
    if (!world.run(clusters_.gateway_env(), clusters_.gateway().stop(), kStopLimit))
      history_.violation("the gateway does not stop");
    for (Node* node : {&clusters_.west(), &clusters_.east()})
      if (node->up() && !world.run(*node->env, node->broker->stop(), kStopLimit))
        history_.violation(std::string(node->host) + " does not stop");
  }

  const RunOptions options_;
  History history_;
  Clusters clusters_;
  Watch watch_;
  Figures figures_;
  Losses losses_;
  Faults faults_;
  EndKind kind_ = EndKind::kConverge;
  std::vector<Producer*> producers_;  // owned by their process
  Committer* committer_ = nullptr;
};

}  // namespace

RunResult run_link(const RunOptions& options) {
  auto run = std::make_unique<LinkRun>(options);
  return run->play();
}

}  // namespace farshore::simulation
