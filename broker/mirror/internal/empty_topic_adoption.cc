#include "broker/mirror/internal/empty_topic_adoption.h"

#include <algorithm>
#include <utility>

#include "broker/metadata/topic_config.h"

namespace farshore::broker {
namespace {

constexpr const char* kWayOut =
    ": delete it at the target and give `farshore mirror resume`, or use another name (--prefix)";

MirrorTopics::Answer adoption_answer(TopicPtr topic, Refusal refusal = {}) {
  MirrorTopics::Answer answer;
  answer.topic = std::move(topic);
  answer.refusal = std::move(refusal);
  return answer;
}

}  // namespace

Refusal EmptyTopicAdoption::check_partitions(const TopicImage& topic) const {
  if (topic.partitions.size() <= static_cast<size_t>(wanted_.partitions)) return {};
  return {kafka::ErrorCode::kTopicAlreadyExists,
          "topic " + topic.name + " exists at the target, is no mirror, and has " +
              std::to_string(topic.partitions.size()) + " partitions; the source has " +
              std::to_string(wanted_.partitions) + kWayOut};
}

Refusal EmptyTopicAdoption::check_empty(const TopicImage& topic) const {
  for (const auto& placed : topic.partitions) {
    auto partition = partitions_.find(topic.id, placed.partition);
    if (!partition) return refusal_of(partition.error().in("partition " + std::to_string(placed.partition)));
    const LogEnds ends = (*partition)->ends();
    if (ends.end == Offset(0) && ends.log_start == Offset(0)) continue;
    return {kafka::ErrorCode::kTopicAlreadyExists,
            "topic " + topic.name + " exists at the target, is no mirror, and was written to" + kWayOut};
  }
  return {};
}

Task<MirrorTopics::Answer> EmptyTopicAdoption::run(TopicPtr topic, Deadline deadline) {
  if (Refusal refusal = check_partitions(*topic)) co_return adoption_answer(topic, std::move(refusal));
  // Most topics that are refused are seen to have records: no fence is raised for them.
  if (Refusal refusal = check_empty(*topic)) co_return adoption_answer(topic, std::move(refusal));
  if (wanted_.dry_run) co_return adoption_answer(topic);
  TopicFences::Change fence;
  fence.fence.link = wanted_.mirror.link;
  fence.fence.number = {wanted_.mirror.link_epoch, env_.wall_now().milliseconds_since_epoch};
  fence.holds = true;
  fence.lasts = kFenceLasts;
  TopicFences::Change lift = fence;
  lift.holds = false;
  TopicFences::Answer fenced = co_await fences_.change(topic, std::move(fence), deadline);
  MirrorTopics::Answer taken = adoption_answer(topic, std::move(fenced.refusal));
  if (!taken.refusal) taken.refusal = check_empty(*fenced.topic);
  if (!taken.refusal) taken = co_await take(fenced.topic, lift.fence.number, deadline);
  // Also where it may not have been raised: it would hold up clients until it ends by itself.
  if (taken.refusal) (void)co_await fences_.change(topic, std::move(lift), deadline);
  co_return taken;
}

Task<MirrorTopics::Answer> EmptyTopicAdoption::take(TopicPtr topic, FenceNumber number, Deadline deadline) {
  MirrorImage mirror = wanted_.mirror;
  mirror.provenance.push_back(mirror.source_cluster_id);
  std::map<std::string, std::string> configs = topic->configs;
  for (const auto& [name, value] : wanted_.configs)
    if (check_topic_config(name, value)) configs[name] = value;
  MetadataManager::TopicEdit edit = [&env = env_, mirror, configs, number](TopicImage& image) -> Status {
    auto own = std::find_if(image.fences.begin(), image.fences.end(),
                            [&](const WriteFence& fence) { return fence.link == mirror.link; });
    const bool held = own != image.fences.end() && own->number == number && own->holds() &&
                      own->until_ms > env.wall_now().milliseconds_since_epoch;
    if (image.mirror || !held)
      return Error(ErrorCode::kUnavailable, "the topic has changed while its mirror was made: ask again");
    image.fences.erase(own);
    image.mirror = mirror;
    image.configs = configs;
    return ok();
  };
  auto made = co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
  if (!made) co_return adoption_answer(topic, refusal_of(made.error()));
  env_.log().info("an empty topic became the mirror of a link",
                  {{"topic", topic->name}, {"link", mirror.link.to_string()}});
  auto forgotten = co_await forget_lineage(*made, deadline);
  if (!forgotten)  // the pump finds the difference, and has it cut
    env_.log().warn("the lineage of a topic that became a mirror is not cut yet",
                    {{"topic", topic->name}, {"error", forgotten.error()}});
  co_return adoption_answer(*made);
}

Task<Status> EmptyTopicAdoption::forget_lineage(TopicPtr topic, Deadline deadline) {
  CO_CHECK(co_await partitions_.wait_for(metadata_.image()->revision, deadline));
  for (const auto& placed : topic->partitions) {
    CO_TRY(PartitionPtr partition, partitions_.find(topic->id, placed.partition));
    CO_CHECK(co_await partition->log().truncate_to(Offset(0), /*below_high_watermark=*/false));
    partition->changed();
  }
  co_return ok();
}

}  // namespace farshore::broker
