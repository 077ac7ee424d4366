#include "linker/link/model/source_fences.h"

#include <algorithm>
#include <set>

#include "base/gate.h"

namespace farshore::linker {
namespace {

constexpr Duration kFenceTick = seconds(1), kRenewEvery = seconds(15), kOrderLimit = seconds(10);
// The source may be lost for good: its link is deleted all the same.
constexpr Duration kReleaseLimit = seconds(5);

std::string may_still_hold(const std::string& topic, const Error& last_try) {
  const std::string why = last_try.code == ErrorCode::kNone ? "the source does not answer" : last_try.to_string();
  return "topic " + topic + " of the source may take no writes for up to an hour: its fence was not lifted (" + why +
         "); a new link of this source can lift it (farshore mirror unfence)";
}

}  // namespace

SourceFences::SourceFences(Env& env, const LinkDefinition& definition, SourceCluster& source, LinkTarget& target,
                           const MirrorTopics& topics, Event& stopping)
    : env_(env),
      definition_(definition),
      source_(source),
      target_(target),
      topics_(topics),
      stopping_(stopping),
      wake_(env) {}

Duration SourceFences::lasts(Want want) {
  switch (want) {
    case Want::kLease:
      return kLease;
    case Want::kEndLease:
      return kEndLease;
    case Want::kForever:
    case Want::kLifted:
      break;
  }
  return Duration(-1);
}

FenceNumber SourceFences::next_number() { return {definition_.link().epoch, ++attempts_}; }

Task<Status> SourceFences::raise(std::string topic, StillWanted wanted, Deadline deadline) {
  Fence& fence = fences_[topic];
  fence = Fence();
  fence.number = next_number();
  fence.renew = env_.now() + kRenewEvery;
  return order(std::move(topic), std::move(wanted), deadline);
}

Task<Status> SourceFences::hold_for_end(std::string topic, StillWanted wanted, Deadline deadline) {
  fences_[topic].want = Want::kEndLease;
  return order(std::move(topic), std::move(wanted), deadline);
}

void SourceFences::keep(const std::string& topic) {
  auto found = fences_.find(topic);
  if (found == fences_.end()) return;
  found->second.want = Want::kForever;
  found->second.done = false;
  found->second.renew = MonoTime();
  wake_.notify();
}

void SourceFences::lift(const std::string& topic) {
  auto found = fences_.find(topic);
  if (found == fences_.end()) return;
  found->second.want = Want::kLifted;
  found->second.done = false;
  found->second.renew = MonoTime();
  wake_.notify();
}

Task<Result<std::vector<std::string>>> SourceFences::release(Deadline deadline) {
  std::vector<std::string> left;
  if (!source_.farshore()) co_return left;
  auto found = co_await target_.adopt(deadline);
  if (!found) co_return std::move(found).error();
  std::set<std::string> promoted;
  std::vector<std::pair<std::string, int32_t>> asked;
  for (const auto& there : *found) {
    asked.emplace_back(there.source_topic, 0);
    if (there.promotion && there.promotion->kind == PromotionKind::kPromote) promoted.insert(there.source_topic);
  }
  const bool answers = co_await find_at_source(std::move(asked), std::min(deadline, env_.in(kReleaseLimit)));
  std::vector<std::string> wanted;
  for (const auto& [topic, fence] : fences_)
    if (promoted.count(topic) == 0) wanted.push_back(topic);
  Gate orders(env_);
  for (const auto& topic : wanted) {
    lift(topic);
    if (answers) spawn(orders, "source fence", order_in_background(topic));
  }
  co_await orders.close();
  for (const auto& topic : wanted)
    if (known(topic)) left.push_back(may_still_hold(topic, fences_[topic].error));
  co_return left;
}

Task<Status> SourceFences::lifted(std::string topic, Deadline deadline) {
  lift(topic);
  if (!known(topic)) co_return ok();
  co_return co_await order(topic, nullptr, deadline);
}

// What is wanted when the order is sent, not when it was asked for.
Task<Status> SourceFences::order(std::string topic, StillWanted wanted, Deadline deadline) {
  auto found = fences_.find(topic);
  if (found == fences_.end()) co_return ok();
  const Want want = found->second.want;
  MirrorClient::FenceOrder order;
  order.topic = topic;
  order.link = definition_.link().id;
  const FenceNumber number = found->second.number;
  order.number = number;
  order.holds = want != Want::kLifted;
  order.lasts = lasts(want);
  // A fence for the end is not renewed: who asked for the end decides, or it ends by itself.
  found->second.renew = want == Want::kEndLease ? MonoTime::max() : env_.now() + kRenewEvery;
  auto done = co_await source_.mirrors().set_fence(std::move(order), std::move(wanted), deadline);
  found = fences_.find(topic);
  if (found == fences_.end() || found->second.number != number) {
    // Lifted, or raised anew, meanwhile: what is there now has orders of its own.
    const bool lifts = want == Want::kLifted;
    if (done || lifts) co_return ok();
    co_return std::move(done).error().in("source: fence of topic " + topic);
  }
  if (done) {
    found->second.error = Error();
    found->second.confirmed = found->second.confirmed || want != Want::kLifted;
    if (found->second.want == want) found->second.done = want == Want::kForever || want == Want::kLifted;
    if (found->second.done && want == Want::kLifted) fences_.erase(found);
    co_return ok();
  }
  Error error = std::move(done).error().in("source: fence of topic " + topic);
  // A topic that is gone has no fence. A newer order of this link has been carried out: by whom the link has now.
  if (want == Want::kLifted && (error == ErrorCode::kNotFound || error == ErrorCode::kConflict)) {
    fences_.erase(found);
    co_return ok();
  }
  found->second.error = error;
  co_return error;
}

Task<Status> SourceFences::lift_all(std::string topic, MirrorTopicAnswer found, Deadline deadline) {
  for (const auto& fence : found.fences) {
    MirrorClient::FenceOrder lift;
    lift.topic = topic;
    lift.link = LinkId(fence.link_id);
    lift.number = {LinkEpoch(fence.link_epoch), fence.attempt};
    auto done = co_await source_.mirrors().set_fence(std::move(lift), nullptr, deadline);
    if (!done) co_return std::move(done).error().in("source: fence of topic " + topic);
  }
  fences_.erase(topic);
  co_return ok();
}

std::string SourceFences::describe(const std::string& topic) const {
  auto found = fences_.find(topic);
  if (found == fences_.end()) return "";
  const Fence& fence = found->second;
  const std::string problem = fence.error.code == ErrorCode::kNone ? "" : "; last try: " + fence.error.to_string();
  if (!fence.confirmed)
    return (fence.want == Want::kLifted
                ? "may take no writes: the promote was given up before the source had confirmed its fence, which is "
                  "being lifted"
                : "may take no writes: a promote has asked for that, and the source has not confirmed it yet") +
           problem;
  switch (fence.want) {
    case Want::kLease:
      return "takes no writes while the promote runs; the source lifts this by itself " +
             std::to_string(std::chrono::duration_cast<seconds>(kLease).count()) + " s after this gateway is gone" +
             problem;
    case Want::kEndLease:
      return "takes no writes until it is known whether the mirror has ended, at most an hour" + problem;
    case Want::kForever:
      return "takes no writes: the mirror was promoted (farshore mirror unfence lets them in again)" + problem;
    case Want::kLifted:
      break;
  }
  return "takes no writes yet: the promote was given up, and the fence is being lifted" + problem;
}

Task<void> SourceFences::order_in_background(std::string topic) {
  (void)co_await order(std::move(topic), nullptr, env_.in(kOrderLimit));
}

Task<void> SourceFences::order_what_is_due() {
  std::vector<std::string> due;
  for (const auto& [topic, fence] : fences_)
    if (!fence.done && fence.renew <= env_.now()) due.push_back(topic);
  Gate orders(env_);
  for (auto& topic : due) spawn(orders, "source fence", order_in_background(std::move(topic)));
  co_await orders.close();
}

Task<bool> SourceFences::find_at_source(std::vector<std::pair<std::string, int32_t>> asked, Deadline deadline) {
  if (asked.empty()) co_return true;
  auto found = co_await source_.mirrors().describe_all(asked, deadline);
  if (!found || found->size() != asked.size()) co_return false;
  for (size_t i = 0; i < asked.size(); ++i) {
    const MirrorTopicAnswer& topic = (*found)[i];
    if (topic.error_code != 0 || known(asked[i].first)) continue;
    for (const auto& there : topic.fences)
      if (LinkId(there.link_id) == definition_.link().id) fences_[asked[i].first].number = next_number();
  }
  co_return true;
}

Task<void> SourceFences::find_left_behind() {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, int32_t>> asked;
  for (const auto& [name, topic] : topics_.all()) {
    if (topic->state() == MirrorState::kPending || looked_at_.count(name) != 0) continue;
    names.push_back(name);
    asked.emplace_back(topic->source_topic(), 0);
  }
  if (names.empty()) co_return;
  auto found = co_await source_.mirrors().describe_all(asked, env_.in(kOrderLimit));
  if (!found || found->size() != asked.size()) co_return;  // in the next round
  for (size_t i = 0; i < names.size(); ++i) {
    looked_at_.insert(names[i]);
    if ((*found)[i].error_code == 0) judge(asked[i].first, (*found)[i]);
  }
}

void SourceFences::judge(const std::string& source_topic, const MirrorTopicAnswer& found) {
  if (found.fences.empty()) return;
  const MirrorTopic* topic = nullptr;
  for (const auto& entry : topics_.all())
    if (entry.second->source_topic() == source_topic) topic = entry.second.get();
  for (const auto& left : found.fences) {
    if (LinkId(left.link_id) != definition_.link().id || known(source_topic) || !topic) continue;
    const bool ended = topic->promotion().has_value();
    Fence& fence = fences_[source_topic];
    fence.number = next_number();
    fence.want = ended ? Want::kForever : Want::kLifted;
    fence.done = ended && left.until_ms == kFenceForever;
    fence.confirmed = true;
    if (!fence.done)
      env_.log().warn(ended ? "a fence of a mirror that has ended is kept" : "a fence that a promote left is lifted",
                      {{"link", definition_.spec().name}, {"source_topic", source_topic}});
  }
}

Task<void> SourceFences::run() {
  while (!stopping_.is_set()) {
    if (source_.farshore()) {
      co_await find_left_behind();
      co_await order_what_is_due();
    }
    if (!stopping_.is_set()) (void)co_await wake_.wait(env_.in(kFenceTick));
  }
}

}  // namespace farshore::linker
