#include "tests/simulation/settlement.h"

#include <algorithm>

#include "broker/broker.h"
#include "broker/testing/test_client.h"
#include "proto/kafka/messages/delete_topics.h"

namespace farshore::simulation {
namespace {

constexpr Duration kSettleLimit = seconds(180);
constexpr Duration kHandLimit = seconds(20);  // of each verb that the operator asks for at the end
constexpr Duration kFigureLimit = seconds(30);
constexpr Duration kWriteLimit = seconds(60);

}  // namespace

bool Settlement::reach(const std::string& when) {
  const Duration end = clusters_.world().now() + kSettleLimit;
  std::string reasons;
  while (clusters_.world().now() < end) {
    clusters_.revive(1);
    repair();
    clusters_.world().run_for(seconds(3));
    if (GatewayNode* owner = hand_.owner()) (void)clusters_.world().run(*owner->env, list(*owner->gateway), kHandLimit);
    reasons.clear();
    active_ = ended_ = 0;
    for (const char* topic : kLifecycleTopics)
      if (std::string reason = unsettled(topic); !reason.empty())
        reasons += std::string(" ") + topic + ": " + reason + ";";
    if (reasons.empty()) return true;
  }
  for (GatewayNode& node : clusters_.gateways())
    reasons += std::string(" ") + node.host +
               (!node.up()              ? " is dead"
                : node.gateway->ready() ? " is ready"
                                        : " says " + node.gateway->not_ready_reason());
  clusters_.history().violation(when + ", not settled:" + reasons + hand_.seen());
  return false;
}

// Each step is refused where there is nothing to do. A gateway that is fenced refuses all.
void Settlement::repair() {
  (void)hand_.insist("create", "", kHandLimit);
  (void)hand_.insist("resume", "", kHandLimit);
  for (const auto& [name, mirror] : mirrors_) {
    if (mirror.state() != "FAILED" || !clusters_.west().up()) continue;
    clusters_.say("the operator deletes " + mirror.topic() + " at the target: " + mirror.state_reason());
    Status removed;
    (void)clusters_.world().run(client_, remove_at_target(mirror.topic(), removed), kHandLimit);
  }
  (void)hand_.insist("resume-topics", "", kHandLimit);
}

Task<void> Settlement::list(linker::Gateway& gateway) {
  linker::api::ListMirrorsRequest request;
  request.set_link(kLink);
  auto found = co_await gateway.list_mirrors(std::move(request));
  if (!found) co_return;
  mirrors_.clear();
  for (const auto& mirror : found->mirrors()) mirrors_[mirror.source_topic()] = mirror;
}

Task<void> Settlement::remove_at_target(std::string topic, Status& done) {
  broker::TestClient client(client_);
  Endpoint to{kWest, 9092};
  done = co_await client.connect(std::move(to));
  if (!done) co_return;
  kafka::DeleteTopicsRequest request;
  request.topic_names.push_back(topic);
  request.timeout_ms = 5000;
  auto answered = co_await client.call(std::move(request), 4);
  if (!answered) done = answered.error();
}

const linker::api::MirrorTopic* Settlement::mirror_of(const std::string& topic) const {
  auto found = mirrors_.find(topic);
  return found == mirrors_.end() ? nullptr : &found->second;
}

std::string Settlement::unsettled(const std::string& name) {
  if (!clusters_.east().up() || !clusters_.west().up()) return "a broker is down";
  const auto* source = clusters_.east().broker->image()->topic(name);
  const auto* target = clusters_.west().broker->image()->topic(name);
  if (!source) return "";  // deleted: nobody says what becomes of its mirror
  if (!target) return "it is not at the target";
  if (!target->mirror) return "the topic at the target is no mirror";
  if (target->mirror->writable()) {
    const auto* ended = mirror_of(name);
    if (ended && ended->state() == "FAILED") return "FAILED (" + ended->state_reason() + ")";  // the name is in use
    ++ended_;
    return "";
  }
  if (target->mirror->source_topic.value() != source->id) return "it mirrors a topic that was deleted";
  const auto* mirror = mirror_of(name);
  if (!mirror) return "no gateway lists it";
  if (mirror->state() != "ACTIVE") return mirror->state() + " (" + mirror->state_reason() + ")";
  if (target->partitions.size() != source->partitions.size()) return "partitions are missing";
  for (int32_t i = 0; i < static_cast<int32_t>(source->partitions.size()); ++i) {
    auto from = clusters_.partition(clusters_.east(), name, i), to = clusters_.partition(clusters_.west(), name, i);
    if (!from || !to) return "partition " + std::to_string(i) + " is not open";
    if (from->ends().end != to->ends().end)
      return "partition " + std::to_string(i) + " ends at " + std::to_string(to->ends().end.value()) +
             ", the source at " + std::to_string(from->ends().end.value());
  }
  ++active_;
  return "";
}

// As a gateway shows it once it has heard of the source again: 0 within the limit, or what stays. -1: not known.
int64_t Settlement::lag_shown(const std::string& topic, int32_t partition) {
  int64_t lag = -1;
  const Duration end = clusters_.world().now() + kFigureLimit;
  do {
    if (GatewayNode* owner = hand_.owner()) (void)clusters_.world().run(*owner->env, list(*owner->gateway), kHandLimit);
    const auto* mirror = mirror_of(topic);
    if (mirror && partition < mirror->partitions_size()) lag = mirror->partitions(partition).lag_records();
    if (lag == 0) return 0;
    clusters_.world().run_for(seconds(1));
  } while (clusters_.world().now() < end);
  return lag;
}

void Settlement::check_equal() {
  History& history = clusters_.history();
  for (const char* name : kLifecycleTopics) {
    const auto* source = clusters_.east().broker->image()->topic(name);
    const auto* target = clusters_.west().broker->image()->topic(name);
    if (!source || !target || !target->mirror || target->mirror->writable()) continue;
    for (int32_t i = 0; i < static_cast<int32_t>(source->partitions.size()); ++i) {
      auto from = clusters_.partition(clusters_.east(), name, i), to = clusters_.partition(clusters_.west(), name, i);
      if (!from || !to) continue;
      const std::string what = std::string(name) + "-" + std::to_string(i) + ": ";
      std::string a, b;
      watch_.read(clusters_.east(), from, a);
      watch_.read(clusters_.west(), to, b);
      const auto has = batches_of(a), copy = batches_of(b);
      // Each side may begin later than the other, by whole batches: retention and DeleteRecords are each side's own.
      auto next = copy.begin();
      for (const StoredBatch& batch : has) {
        while (next != copy.end() && next->offset < batch.offset) ++next;
        if (next == copy.end() || next->offset != batch.offset) {
          if (!copy.empty() && batch.offset >= copy.front().offset)
            history.violation(what + "the batch at " + std::to_string(batch.offset) + " is not at the target");
          continue;
        }
        if (next->crc != batch.crc)
          history.violation(what + "the batch at " + std::to_string(batch.offset) + " is another one at the target");
      }
      const int64_t lag = lag_shown(name, i);
      if (lag != 0) history.violation(what + "nothing is missing, and the lag is " + std::to_string(lag));
    }
  }
}

Task<void> Settlement::write(std::string topic, Status& done) { done = co_await user_.write(std::move(topic)); }

void Settlement::check_writable() {
  for (const char* name : kLifecycleTopics) {
    const auto* source = clusters_.east().broker->image()->topic(name);
    if (!source) continue;
    const auto* target = clusters_.west().broker->image()->topic(name);
    if (target && target->mirror && target->mirror->source_topic.value() == source->id && target->mirror->writable() &&
        target->mirror->promotion()->kind == PromotionKind::kPromote)
      continue;  // it moved; the source stays read-only
    Status last;
    const Duration end = clusters_.world().now() + kWriteLimit;
    do {
      last = Error(ErrorCode::kTimedOut, "no answer");
      (void)clusters_.world().run(client_, write(name, last), kHandLimit);
      if (last) break;
      // What people do who read why: a promote of before may have left its fence, when its mirror was deleted.
      (void)hand_.insist("unfence", name, kHandLimit);
      clusters_.world().run_for(seconds(1));
    } while (!last && clusters_.world().now() < end);
    if (!last)
      clusters_.history().violation(std::string(name) + " is not writable at the source: " + last.error().to_string());
  }
}

}  // namespace farshore::simulation
