#include "linker/link/model/undecided_ends.h"

namespace farshore::linker {
namespace {

constexpr Duration kAskEvery = seconds(2), kAskLimit = seconds(10), kReportLimit = seconds(10);
constexpr int kNotEndedMin = 2;

}  // namespace

UndecidedEnds::UndecidedEnds(Env& env, LinkTarget& target, replicator::Replicator& replicator, MirrorTopics& topics,
                             SourceFences& fences, EndReports& reports, Event& stopping)
    : env_(env),
      target_(target),
      replicator_(replicator),
      topics_(topics),
      fences_(fences),
      reports_(reports),
      stopping_(stopping),
      wake_(env) {}

void UndecidedEnds::add(const std::string& topic, Duration settles) {
  env_.log().warn("it is not known whether the target has ended a mirror: it is asked again", {{"topic", topic}});
  Open& open = open_[topic];
  open.number = ++adds_;
  open.settled_at = env_.now() + settles;
  open.not_ended = 0;
  wake_.notify();
}

std::string UndecidedEnds::describe(const std::string& topic) const {
  if (open_.count(topic) == 0) return "";
  return "it is not known yet whether the target has ended this mirror; the target is asked again" +
         (last_.code == ErrorCode::kNone ? "" : " (last answer: " + last_.to_string() + ")");
}

Task<void> UndecidedEnds::run() {
  while (!stopping_.is_set()) {
    if (!open_.empty()) co_await ask();
    if (stopping_.is_set()) break;
    (void)co_await wake_.wait(open_.empty() ? Deadline::never() : env_.in(kAskEvery));
  }
}

Task<void> UndecidedEnds::ask() {
  const auto asked = open_;
  const MonoTime asked_at = env_.now();
  auto found = co_await target_.adopt(env_.in(kAskLimit));
  last_ = found ? Error() : found.error();
  if (!found) co_return;
  for (const auto& [name, open] : asked) {
    const MirrorTopic* topic = topics_.find(name);
    const TargetTopic* there = nullptr;
    for (const auto& each : *found)
      if (topic && each.topic == name && each.id == topic->id()) there = &each;
    co_await decide(name, open, asked_at, there);
  }
}

Task<void> UndecidedEnds::decide(std::string name, Open asked, MonoTime asked_at, const TargetTopic* found) {
  auto open = open_.find(name);
  MirrorTopic* topic = topics_.find(name);
  // A verb has taken it over meanwhile, or asked the target anew.
  if (open == open_.end() || open->second.number != asked.number) co_return;
  if (topic && topic->state() != MirrorState::kStopped && found && found->promotion) {
    PromotionRecord record = *found->promotion;
    add_what_was_seen(record, topic->pumps(), replicator_, env_.now());
    topic->end(record);
    open_.erase(open);
    fences_.keep(topic->source_topic());
    co_await reports_.store(name, std::move(record), env_.in(kReportLimit));
    co_return;
  }
  const bool ended = topic && topic->state() == MirrorState::kStopped;
  if (!ended && asked_at < open->second.settled_at) co_return;
  if (!ended && ++open->second.not_ended < kNotEndedMin) co_return;
  open_.erase(open);
  if (ended)
    fences_.keep(topic->source_topic());
  else if (topic)
    fences_.lift(topic->source_topic());
  env_.log().info("it is known now whether the target has ended a mirror", {{"topic", name}, {"ended", ended}});
}

}  // namespace farshore::linker
