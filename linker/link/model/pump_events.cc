#include "linker/link/model/pump_events.h"

#include "base/plant.h"

namespace farshore::linker {

void PumpEvents::note_loss(const LinkPartition& key, LossKind kind, SourceOffset from, SourceOffset to) {
  const MirrorTopic* topic = topics_.of_pump(key);
  if (!topic || planted(env_, Plant::kLossNotNamed)) return;
  losses_.note({topic->name(), topic->id(), key.partition.value()}, kind, from, to);
}

void PumpEvents::pump_diverged(const LinkPartition& key, replicator::LostRange lost, bool cut) {
  env_.log().error("the source lost data that was mirrored", {{"partition", topics_.partition_name(key)},
                                                              {"from", lost.from},
                                                              {"to", lost.to},
                                                              {"first_epoch", lost.first_epoch},
                                                              {"last_epoch", lost.last_epoch},
                                                              {"truncated", cut}});
  if (cut) return;
  note_loss(key, LossKind::kKept, lost.from, lost.to);
  topics_.fail_partition(key, "the source lost offsets " + std::to_string(lost.from.value()) + " to " +
                                  std::to_string(lost.to.value()) + ", which were mirrored (on.divergence=stop)");
}

void PumpEvents::pump_would_lose_all(const LinkPartition& key, replicator::LostRange lost) {
  env_.log().error("the source has nothing of what was mirrored; the mirror keeps it and stops",
                   {{"partition", topics_.partition_name(key)}, {"from", lost.from}, {"to", lost.to}});
  note_loss(key, LossKind::kKept, lost.from, lost.to);
  topics_.fail_partition(
      key,
      "the source has nothing of what was mirrored any more (it lost everything, or is another one); to follow it "
      "would "
      "remove offsets " +
          std::to_string(lost.from.value()) + " to " + std::to_string(lost.to.value()) +
          ", all that the mirror has. To keep them, fail over. To follow the source, `farshore link update LINK --set "
          "on.divergence=truncate-all`, then `farshore mirror resume`");
}

void PumpEvents::pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool skipped) {
  env_.log().error("the source deleted records before they could be mirrored",
                   {{"partition", topics_.partition_name(key)}, {"from", from}, {"to", to}});
  if (!skipped) note_loss(key, LossKind::kNotMirrored, from, to);
}

void PumpEvents::pump_topic_gone(const LinkPartition& key, const Error& why) {
  MirrorTopic* topic = topics_.of_pump(key);
  if (!topic || !topic->pumping()) return;
  const bool made_anew = why == ErrorCode::kConflict;
  topic->fail("the source topic is gone: " + why.to_string() +
              (made_anew
                   ? "; to mirror the new one, delete the mirror topic at the target; to keep the old records there, "
                     "fail it over"
                   : "; to keep what is mirrored, fail it over"));
}

void PumpEvents::pump_failed(const LinkPartition& key, const Error& why) {
  if (why == ErrorCode::kFenced) return fences_.fenced(key, why);
  MirrorTopic* topic = topics_.of_pump(key);
  if (why == ErrorCode::kNotFound && topic && topic->pumping())
    return topic->fail_gone("the target does not have the topic any more (" + why.to_string() +
                            "); `farshore mirror resume` makes it again from the source's start");
  topics_.fail_partition(key, why.to_string());
}

}  // namespace farshore::linker
