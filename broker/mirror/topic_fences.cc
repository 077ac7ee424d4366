#include "broker/mirror/topic_fences.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr Duration kLiftLimit = seconds(10);
constexpr Duration kLookPause = seconds(1);  // so late may a fence be lifted

int64_t fence_end(const TopicFences::Change& change, WallTime now) {
  if (!change.holds) return kFenceLifted;
  if (change.lasts < Duration::zero()) return kFenceForever;
  return now.milliseconds_since_epoch + std::chrono::duration_cast<milliseconds>(change.lasts).count();
}

Status apply_change(Env& env, TopicImage& image, const TopicFences::Change& change) {
  const WallTime now = env.wall_now();
  if (change.valid_until >= WallTime{0} && now > change.valid_until)
    return Error(ErrorCode::kTimedOut, "who asked for it has given it up meanwhile");
  if (change.nobody) {
    image.read_only = change.holds;
    return ok();
  }
  WriteFence fence = change.fence;
  fence.until_ms = fence_end(change, now);
  switch (apply_fence(image.fences, fence)) {
    case FenceOutcome::kApplied:
      return ok();
    case FenceOutcome::kSuperseded:
      return Error(ErrorCode::kFenced, "a newer change of the fence of topic " + image.name +
                                           " was made by this link, or this attempt's fence was lifted");
    case FenceOutcome::kTooMany:
      break;
  }
  return Error(ErrorCode::kResourceExhausted, std::to_string(kFencesMax) + " links fence topic " + image.name +
                                                  " already: lift one (farshore mirror unfence)");
}

}  // namespace

TopicFences::TopicFences(Env& env, MetadataManager& metadata, PartitionTable& partitions)
    : env_(env), metadata_(metadata), partitions_(partitions), stopping_(env), wake_(env), gate_(env) {}

void TopicFences::start() { spawn(gate_, "topic fences", watch()); }

Task<void> TopicFences::stop() {
  stopping_.set();
  wake_.notify();
  co_await gate_.close();
}

Task<TopicFences::Answer> TopicFences::change(TopicPtr topic, Change change, Deadline deadline) {
  Answer answer;
  answer.topic = topic;
  if (change.holds) {
    // Before anything is changed: a fence whose purpose cannot be reached is not raised at all.
    for (const auto& placed : topic->partitions) {
      auto partition = partitions_.find(topic->id, placed.partition);
      if (partition) continue;
      answer.refusal = refusal_of(partition.error().in("partition " + std::to_string(placed.partition)));
      co_return answer;
    }
  }
  const bool holds = change.holds;
  MetadataManager::TopicEdit edit = [&env = env_, change](TopicImage& image) {
    return apply_change(env, image, change);
  };
  auto changed = co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
  if (!changed) {
    answer.refusal = refusal_of(changed.error());
    co_return answer;
  }
  answer.topic = *changed;
  auto applied = co_await partitions_.wait_for(metadata_.image()->revision, deadline);
  if (applied && holds) applied = co_await settle(answer.topic, deadline);
  if (!applied) answer.refusal = refusal_of(applied.error());
  co_return answer;
}

// Writes that passed their check a moment before are still acknowledged. The caller reads the ends next, and must find
// these writes below them.
Task<Status> TopicFences::settle(TopicPtr topic, Deadline deadline) {
  for (const auto& placed : topic->partitions) {
    auto partition = partitions_.find(topic->id, placed.partition);
    if (!partition) co_return std::move(partition).error().in("partition " + std::to_string(placed.partition));
    CO_CHECK(co_await (*partition)->settle(deadline));
  }
  co_return ok();
}

Task<void> TopicFences::watch() {
  while (!stopping_.is_set()) {
    const ImagePtr image = metadata_.image();
    bool some_end = false;
    for (const auto& entry : image->topics) {
      TopicPtr topic = entry.second;
      const int64_t end = next_fence_end(topic->fences);
      some_end = some_end || end != kFenceForever;
      if (end != kFenceForever && end <= env_.wall_now().milliseconds_since_epoch) co_await lift_expired(topic);
    }
    if (!some_end && metadata_.image() == image && !stopping_.is_set()) {
      Wait<void> woken(env_);
      metadata_.changes().add(woken);
      wake_.add(woken);
      (void)co_await woken.wait(Deadline::never());
    }
    (void)co_await stopping_.wait(env_.in(kLookPause));
  }
}

Task<void> TopicFences::lift_expired(TopicPtr topic) {
  MetadataManager::TopicEdit edit = [&env = env_](TopicImage& image) -> Status {
    if (!lift_expired_fences(image.fences, env.wall_now().milliseconds_since_epoch))
      return Error(ErrorCode::kConflict, "it was renewed or lifted meanwhile");
    return ok();
  };
  auto lifted = co_await metadata_.update_topic(topic->id, std::move(edit), env_.in(kLiftLimit));
  if (lifted)
    env_.log().warn("a fence was lifted because its gateway did not renew it: clients may write again",
                    {{"topic", topic->name}});
  else if (lifted.error() != ErrorCode::kConflict && lifted.error() != ErrorCode::kNotFound)
    env_.log().error("a fence that has ended cannot be lifted yet",
                     {{"topic", topic->name}, {"error", lifted.error()}});
}

}  // namespace farshore::broker
