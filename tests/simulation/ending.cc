#include "tests/simulation/ending.h"

#include <algorithm>

#include "broker/broker.h"

namespace farshore::simulation {
namespace {

constexpr Duration kProgressLimit = seconds(90);      // after healing: writes are acknowledged again
constexpr Duration kConvergenceLimit = seconds(120);  // and the mirror is the source
constexpr Duration kAskLimit = seconds(30);
constexpr int kAsksMax = 40;

}  // namespace

bool Ending::progress() {
  History& history = clusters_.history();
  const size_t before = history.acknowledgements();
  if (clusters_.until([&] { return history.acknowledgements() > before + 5; }, kProgressLimit)) return true;
  history.violation("nothing is acknowledged after healing");
  return false;
}

bool Ending::stop_clients(bool groups_too) {
  for (Producer* producer : producers_) producer->stop();
  if (groups_too) committer_->stop();
  const auto stopped = [&] {
    return std::all_of(producers_.begin(), producers_.end(), [](Producer* p) { return p->stopped(); }) &&
           (!groups_too || committer_->stopped());
  };
  if (clusters_.until(stopped, kStopLimit)) return true;
  clusters_.history().violation("a client does not end");
  return false;
}

void Ending::converge() {
  History& history = clusters_.history();
  if (!progress() || !stop_clients(true)) return;
  if (!clusters_.until([&] { return watch_.in_sync(); }, kConvergenceLimit)) return history.violation(not_in_sync());
  if (!clusters_.until([&] { return watch_.groups_in_sync(); }, kConvergenceLimit)) {
    std::string text = "the group at the target is not where it is at the source:";
    for (Node* node : {&clusters_.east(), &clusters_.west()})
      for (const auto& [partition, offset] : clusters_.committed(*node, kGroup))
        text += std::string(" ") + node->host + "-" + std::to_string(partition) + " " + std::to_string(offset);
    return history.violation(text + not_in_sync());
  }
  clusters_.world().run_for(seconds(2));
  watch_.look();
  for (int32_t i = 0; i < kPartitions; ++i) {
    PartitionState state;
    watch_.read(clusters_.east(), i, state.source);
    watch_.read(clusters_.west(), i, state.mirror);
    end.push_back(std::move(state));
  }
  history.check_end(end, clusters_.east().lost);
}

// While the operator waits: the gateway or the target may die once more.
void Ending::disturb() {
  Random& random = clusters_.random();
  if (random.chance(0.3)) faults_.kill_at_resumption(clusters_.gateway_env(), 400);
  if (random.chance(0.3)) faults_.kill_at_resumption(*clusters_.west().env, 400);
}

bool Ending::end_mirror(bool promote) {
  bool done = false;
  for (int i = 0; i < kAsksMax && !done; ++i) {
    clusters_.revive(1);
    if (!clusters_.gateway_env().dead())
      (void)clusters_.world().run(clusters_.gateway_env(), ask(promote, kAskLimit, done), kAskLimit * 2);
    if (!done) clusters_.world().run_for(milliseconds(500));
  }
  if (done) return true;
  const char* verb = promote ? "promote" : "failover";
  clusters_.history().violation(std::string(verb) + " is not done: " + last_error_ + "; " + not_in_sync());
  return false;
}

Task<void> Ending::ask(bool promote, Duration limit, bool& done) {
  sim::SimEnv& env = clusters_.gateway_env();
  linker::Gateway& gateway = clusters_.gateway();
  linker::TopicVerb::Progress progress = [this, &done](linker::api::VerbProgress step) {
    if (!step.error().empty()) last_error_ = step.error();
    if (!step.done() || !step.error().empty() || step.mirror().promotion().partitions_size() != kPartitions) return;
    record_ = step.mirror().promotion();
    done = true;
  };
  const Deadline deadline = env.in(limit);
  Status asked;
  if (promote) {
    linker::api::PromoteRequest request;
    request.set_link(kLink);
    request.add_topics(kTopic);
    asked = co_await gateway.promote(std::move(request), progress, deadline);
  } else {
    linker::api::FailoverRequest request;
    request.set_link(kLink);
    request.add_topics(kTopic);
    asked = co_await gateway.failover(std::move(request), progress, deadline);
  }
  if (!asked) last_error_ = asked.error().to_string();
}

bool Ending::mirror_has_ended() {
  if (!clusters_.until([&] { return clusters_.west().up(); }, kStopLimit)) return false;
  const auto* topic = clusters_.west().broker->image()->topic(kTopic);
  return topic && topic->mirror && topic->mirror->ended();
}

bool Ending::give_up_a_promote() {
  Random& random = clusters_.random();
  const Duration limit = milliseconds(random.between(1, 3000));
  if (random.chance(0.5)) faults_.kill_at_resumption(clusters_.gateway_env(), 600);
  bool done = false;
  (void)clusters_.world().run(clusters_.gateway_env(), ask(true, limit, done), kAskLimit * 2);
  faults_.end();
  clusters_.revive(1);
  if (done || mirror_has_ended()) return true;
  const bool writable = progress();
  if (!writable) clusters_.history().violation("after a promote that was given up: " + last_error_);
  return writable;
}

void Ending::promote() {
  if (!progress()) return;
  if (clusters_.random().chance(0.5) && !give_up_a_promote()) return;
  committer_->stop();
  disturb();
  if (!end_mirror(true)) return;
  if (!stop_clients(true)) return;
  faults_.end();
  clusters_.revive(1);
  check_ended(true);
}

void Ending::fail_over() {
  if (!stop_clients(true)) return;
  if (clusters_.random().chance(0.5)) clusters_.world().kill(clusters_.gateway_env());  // the next never saw the source
  clusters_.revive(1);
  if (!clusters_.until([&] { return clusters_.west().up(); }, kStopLimit))
    return clusters_.history().violation("the target does not start");
  const auto* topic = clusters_.west().broker->image()->topic(kTopic);
  nothing_to_end = !topic || topic->partitions.size() != kPartitions;
  if (nothing_to_end) return;
  disturb();
  if (!end_mirror(false)) return;
  faults_.end();
  clusters_.revive(1);
  check_ended(false);
}

void Ending::check_ended(bool promoted) {
  watch_.mirror_ended();
  check_writable();
  watch_.look();
  History& history = clusters_.history();
  const auto groups = clusters_.committed(clusters_.west(), kGroup);
  for (const auto& p : record_.partitions()) {
    History::End end;
    end.partition = p.partition();
    end.failover_offset = p.failover_offset();
    end.source_high_watermark = p.source_high_watermark();
    end.lost_at_least = p.lost_at_least_records();
    end.stranded = p.stranded_records();
    end.new_epoch = p.new_epoch();
    std::string target;
    watch_.read(clusters_.west(), p.partition(), target);
    history.check_ended(end, target, clusters_.east().lost || clusters_.west().lost, promoted);
    const std::string name = "partition " + std::to_string(p.partition());
    if (auto at = groups.find(p.partition());
        at != groups.end() && at->second > p.failover_offset() && !clusters_.east().lost && !clusters_.west().lost)
      history.violation(name + ": the group is at " + std::to_string(at->second) + ", behind the failover offset " +
                        std::to_string(p.failover_offset()));
    if (!promoted) continue;
    std::string source;
    watch_.read(clusters_.east(), p.partition(), source);
    const auto batches = batches_of(source);
    const int64_t source_end = batches.empty() ? 0 : batches.back().next;
    if (source_end > p.failover_offset() + p.stranded_records())
      history.violation(name + ": the source went on to " + std::to_string(source_end) + " behind the promotion at " +
                        std::to_string(p.failover_offset()) + ", and nobody says so");
    if (!clusters_.west().lost && target.substr(0, source.size()) != source && p.stranded_records() == 0)
      history.violation(name + ": the promoted topic does not begin with the source's bytes");
  }
}

// Clients write to what was the mirror, and what is acknowledged is there.
void Ending::check_writable() {
  History& history = clusters_.history();
  sim::SimEnv& env = clusters_.world().start_process(kClient, "client of the target");
  const bool may_lose = false;
  auto made = std::make_shared<Producer>(env, Endpoint{kWest, 9092}, true, after_, may_lose);
  Producer& producer = *made;
  clusters_.world().spawn(env, made->run());
  env.hold(std::move(made));
  if (!clusters_.until([&] { return after_.acknowledgements() > 6; }, kProgressLimit))
    return history.violation("the target is not writable after the end of the mirror");
  producer.stop();
  if (!clusters_.until([&] { return producer.stopped(); }, kStopLimit))
    return history.violation("a client of the target does not end");
  for (const std::string& text : after_.violations()) history.violation("at the target: " + text);
  for (int64_t id : after_.producer_ids()) history.producer_id(id);  // of two clusters, and never the same
  for (const auto& p : record_.partitions()) {
    std::string target;
    watch_.read(clusters_.west(), p.partition(), target);
    for (const std::string& text : after_.missing(p.partition(), p.failover_offset(), target))
      history.violation("at the target: " + text);
  }
}

std::string Ending::not_in_sync() {
  linker::Gateway& gateway = clusters_.gateway();
  std::string text = "the mirror does not converge: gateway ";
  if (clusters_.gateway_env().dead()) return text + "dead";
  text += gateway.ready() ? std::string("ready") : gateway.not_ready_reason();
  if (!clusters_.create_error().empty()) text += "; create link: " + clusters_.create_error();
  for (int32_t i = 0; i < kPartitions; ++i) {
    for (Node* node : {&clusters_.east(), &clusters_.west()}) {
      text += std::string("; ") + node->host + "-" + std::to_string(i) + " ";
      auto partition = clusters_.partition(*node, i);
      if (!partition)
        text += "not there";
      else
        text += "end " + std::to_string(partition->ends().end.value()) + " high watermark " +
                std::to_string(partition->ends().high_watermark.value());
    }
  }
  (void)clusters_.world().run(clusters_.gateway_env(), describe(text), kStopLimit);
  return text;
}

Task<void> Ending::describe(std::string& text) {
  linker::api::ListMirrorsRequest request;
  request.set_link(kLink);
  auto mirrors = co_await clusters_.gateway().list_mirrors(std::move(request));
  if (!mirrors) {
    text += "; mirrors: " + mirrors.error().to_string();
    co_return;
  }
  for (const auto& mirror : mirrors->mirrors()) text += "; mirror " + mirror.ShortDebugString();
}

}  // namespace farshore::simulation
