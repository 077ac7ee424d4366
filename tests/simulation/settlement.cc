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
constexpr int64_t kContactMs = 5000;  // so new is what a gateway knows of a source that answers
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
    // FAILED: the name is in use. PENDING: it was resumed, and has not been asked for yet.
    if (ended && ended->state() != "STOPPED") return ended->state() + " (" + ended->state_reason() + ")";
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
    if (from->ends().end != to->ends().high_watermark)  // what is beyond it cannot be read yet
      return "partition " + std::to_string(i) + " ends at " + std::to_string(to->ends().high_watermark.value()) +
             ", the source at " + std::to_string(from->ends().end.value());
  }
  ++active_;
  return "";
}

// As a gateway shows them once it has heard of the source again.
std::string Settlement::wrong_figures(const std::string& topic, int32_t partition, int64_t end) {
  std::string wrong;
  const Duration limit = clusters_.world().now() + kFigureLimit;
  do {
    if (GatewayNode* owner = hand_.owner()) (void)clusters_.world().run(*owner->env, list(*owner->gateway), kHandLimit);
    const auto* mirror = mirror_of(topic);
    if (mirror && partition < mirror->partitions_size()) {
      const auto& shown = mirror->partitions(partition);
      if (shown.lag_records() == 0 && shown.lag_ms() == 0 && shown.source_high_watermark() == end &&
          shown.mirrored_end_offset() == end && shown.last_contact_ms_ago() >= 0 &&
          shown.last_contact_ms_ago() <= kContactMs)
        return "";
      wrong = shown.ShortDebugString();
    } else {
      wrong = "not listed";
    }
    clusters_.world().run_for(seconds(1));
  } while (clusters_.world().now() < limit);
  return wrong;
}

bool Settlement::is_mirrored(const std::string& name) const {
  const auto* source = clusters_.east().broker->image()->topic(name);
  const auto* target = clusters_.west().broker->image()->topic(name);
  return source && target && target->mirror && !target->mirror->writable() &&
         target->mirror->source_topic.value() == source->id;
}

void Settlement::check_equal() {
  for (const char* name : kLifecycleTopics) {
    if (!is_mirrored(name)) continue;
    const auto* source = clusters_.east().broker->image()->topic(name);
    for (int32_t i = 0; i < static_cast<int32_t>(source->partitions.size()); ++i) {
      auto from = clusters_.partition(clusters_.east(), name, i), to = clusters_.partition(clusters_.west(), name, i);
      if (!from || !to) continue;
      const std::string what = std::string(name) + "-" + std::to_string(i) + ": ";
      std::string a, b;
      watch_.read(clusters_.east(), from, a);
      watch_.read(clusters_.west(), to, b);
      if (std::string_view(name) == kCompactedTopic)
        check_records(what, a, b);
      else
        check_batches(what, a, b);
      if (std::string wrong = wrong_figures(name, i, from->ends().high_watermark.value()); !wrong.empty())
        clusters_.history().violation(what + "nothing is missing, the source ends at " +
                                      std::to_string(from->ends().high_watermark.value()) + ", and shown is " + wrong);
    }
  }
}

void Settlement::check_batches(const std::string& what, const std::string& source, const std::string& target) {
  const auto has = batches_of(source), copy = batches_of(target);
  // Each side may begin later than the other, by whole batches: retention and DeleteRecords are each side's own.
  auto next = copy.begin();
  for (const StoredBatch& batch : has) {
    while (next != copy.end() && next->offset < batch.offset) ++next;
    if (next == copy.end() || next->offset != batch.offset) {
      if (!copy.empty() && batch.offset >= copy.front().offset)
        clusters_.history().violation(what + "the batch at " + std::to_string(batch.offset) + " is not at the target");
      continue;
    }
    if (next->crc != batch.crc)
      clusters_.history().violation(what + "the batch at " + std::to_string(batch.offset) +
                                    " is another one at the target");
  }
}

void Settlement::check_records(const std::string& what, const std::string& source, const std::string& target) {
  const auto has = records_of(source), copy = records_of(target);
  if (copy.empty()) return;
  for (const auto& [offset, record] : has) {
    if (offset < copy.begin()->first) continue;
    auto found = copy.find(offset);
    if (found == copy.end() || found->second != record)
      clusters_.history().violation(what + "the record at " + std::to_string(offset) +
                                    (found == copy.end() ? " is not at the target" : " is another one at the target"));
  }
}

bool Settlement::within(Duration limit, const std::function<bool()>& done) {
  for (const Duration end = clusters_.world().now() + limit; !done(); clusters_.world().run_for(seconds(1)))
    if (clusters_.world().now() >= end) return false;
  return true;
}

std::string Settlement::groups_ahead() {
  std::string ahead;
  for (const char* name : kLifecycleTopics) {
    if (!is_mirrored(name)) continue;
    for (const char* group : kLifecycleGroups) {
      const auto at_source = clusters_.committed(clusters_.east(), group, name);
      for (const auto& [index, offset] : clusters_.committed(clusters_.west(), group, name)) {
        if (at_source.count(index) == 0) continue;  // it may have lost it, and the link's memory went with a link
        auto partition = clusters_.partition(clusters_.west(), name, index);
        if (partition && offset > partition->ends().high_watermark.value())
          ahead += std::string(" group ") + group + " is at " + std::to_string(offset) + " of " + name + "-" +
                   std::to_string(index) + ", which ends at " +
                   std::to_string(partition->ends().high_watermark.value());
      }
    }
  }
  return ahead;
}

void Settlement::check_groups() {
  std::string ahead;
  const auto none = [&] {
    ahead = groups_ahead();
    return ahead.empty();
  };
  if (!within(kFigureLimit, none)) clusters_.history().violation("at the target:" + ahead);
}

std::string Settlement::owners(size_t& count) {
  std::string text;
  count = 0;
  linker::api::StatusRequest request;
  request.set_link(kLink);
  for (const GatewayNode& node : clusters_.gateways()) {
    if (!node.up()) continue;
    const auto status = node.gateway->status(request);
    if (!status) continue;  // this gateway has no such link now
    for (const auto& link : status->links()) {
      text += std::string(" ") + node.host + " " + link.state() + " epoch " + std::to_string(link.link_epoch());
      if (link.state() != "FAILED") ++count;
    }
  }
  return text;
}

void Settlement::check_one_owner() {
  size_t count = 0;
  std::string text;
  const auto one = [&] {
    text = owners(count);
    return count <= 1;
  };
  if (!within(kFigureLimit, one)) clusters_.history().violation("two gateways have the link:" + text);
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
