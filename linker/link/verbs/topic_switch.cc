#include "linker/link/verbs/topic_switch.h"

#include <algorithm>
#include <set>

namespace farshore::linker {
namespace {

constexpr Duration kLookLimit = seconds(10);  // at the source and at the target, before a topic is resumed

std::string still(const MirrorTopic& topic) {
  return "mirror topic " + topic.name() + " stays " +
         (topic.left_out() ? std::string(kLeftOutName) : std::string(name(topic.state()))) + ": ";
}

}  // namespace

void TopicSwitch::refuse(const std::string& topic, Error why) { refused_.push_back({topic, std::move(why)}); }

Result<TopicSwitch::Work> TopicSwitch::enter(const std::string& name, bool paused) {
  Work work;
  FARSHORE_TRY(work.topic, link_.topics.get(name));
  FARSHORE_TRY(work.place, desk_.enter(name, paused ? "pause" : "resume"));
  const MirrorState wanted = paused ? MirrorState::kPaused : MirrorState::kActive;
  if (may_follow(work.topic->state(), wanted)) return work;
  return Error(ErrorCode::kInvalidArgument,
               "mirror topic " + name + " is " + std::string(farshore::name(work.topic->state())) +
                   (paused ? ": it can be paused only while PENDING, ACTIVE, SOURCE_UNAVAILABLE or FAILED"
                           : ": its mirror was ended, so there is nothing to resume"));
}

Task<Result<std::vector<TopicRefused>>> TopicSwitch::run(std::vector<std::string> names, bool paused,
                                                         Deadline deadline) {
  const std::set<std::string> each(names.begin(), names.end());
  for (const auto& name : each) {
    auto work = enter(name, paused);
    if (work)
      work_.push_back(std::move(*work));
    else
      refuse(name, std::move(work).error());
  }
  if (!paused) co_await refuse_what_cannot_work(deadline);
  if (work_.empty()) co_return std::move(refused_);
  std::vector<MirrorTopic*> retried;
  if (!paused)
    for (const Work& work : work_)
      if (stuck(*work.topic)) retried.push_back(work.topic);
  CO_CHECK(co_await store(paused, deadline));
  for (MirrorTopic* topic : retried)
    if (stuck(*topic)) topic->retry(link_.definition.paused());
  if (!retried.empty()) discovery_.wake();
  co_return std::move(refused_);
}

Task<void> TopicSwitch::refuse_what_cannot_work(Deadline deadline) {
  std::vector<std::string> names;
  for (const Work& work : work_)
    if (stuck(*work.topic)) names.push_back(work.topic->source_topic());
  if (names.empty()) co_return;
  deadline = std::min(deadline, link_.env.in(kLookLimit));
  auto view = co_await link_.source.admin().client().refresh(std::move(names), deadline);
  if (!view) co_return;
  std::vector<WantedTopic> wanted;
  std::set<std::string> refused;
  for (const Work& work : work_) {
    if (!stuck(*work.topic)) continue;
    auto there = (*view)->topics.find(work.topic->source_topic());
    const int16_t code = there == (*view)->topics.end() ? 0 : there->second.error_code;
    if (code == static_cast<int16_t>(kafka::ErrorCode::kUnknownTopicOrPartition)) {
      refused.insert(work.topic->name());
      refuse(work.topic->name(),
             Error(ErrorCode::kNotFound, still(*work.topic) + "the source has no topic " + work.topic->source_topic() +
                                             " now; to keep what is mirrored, fail it over (farshore mirror "
                                             "failover); resume it when the source has it again"));
    }
    if (there == (*view)->topics.end() || code != 0) continue;
    WantedTopic& check = wanted.emplace_back();
    check.topic = work.topic->name();
    check.source.name = work.topic->source_topic();
    check.source.id = there->second.id;
    check.source.partitions = static_cast<int32_t>(there->second.partitions.size());
    check.dry_run = true;
    check.start_over = true;  // that is what a resumed topic may do
  }
  const auto asked = wanted;
  auto possible = co_await link_.target.make_all(std::move(wanted), link_.source.as_source(), deadline);
  for (size_t i = 0; i < asked.size(); ++i) {
    const MirrorTopic* topic = link_.topics.find(asked[i].topic);
    Error why = possible[i] ? Error() : possible[i].error();
    if (possible[i] && !possible[i]->left_out.empty()) why = Error(ErrorCode::kInvalidArgument, possible[i]->left_out);
    if (!topic || why.code == ErrorCode::kNone || error_retriable(why.code) || why == ErrorCode::kFenced) continue;
    refused.insert(asked[i].topic);
    refuse(asked[i].topic, Error(why.code, still(*topic) + why.detail));
  }
  std::erase_if(work_, [&](const Work& work) { return refused.contains(work.topic->name()); });
}

Task<Status> TopicSwitch::store(bool paused, Deadline deadline) {
  std::set<std::string> names;
  for (const Work& work : work_) names.insert(work.topic->name());
  LinkDefinition::Edit edit = [names, paused](StoredLink& link) -> Status {
    std::erase_if(link.paused_topics, [&](const std::string& name) { return names.contains(name); });
    if (!paused) return ok();
    link.paused_topics.insert(link.paused_topics.end(), names.begin(), names.end());
    size_t bytes = 0;
    for (const auto& name : link.paused_topics) bytes += name.size();
    if (bytes <= kPausedNamesBytesMax) return ok();
    return Error(ErrorCode::kResourceExhausted,
                 "the names of " + std::to_string(link.paused_topics.size()) + " paused topics take " +
                     std::to_string(bytes) + " bytes, and a link can store " + std::to_string(kPausedNamesBytesMax) +
                     ": pause the whole link instead (farshore link pause " + link.spec.name + ")");
  };
  co_return co_await store_(std::move(edit), deadline);
}

}  // namespace farshore::linker
