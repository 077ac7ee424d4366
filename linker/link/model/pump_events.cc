#include "linker/link/model/pump_events.h"

namespace farshore::linker {

void PumpEvents::pump_diverged(const LinkPartition& key, replicator::LostRange lost, bool cut) {
  env_.log().error("the source lost data that was mirrored", {{"partition", topics_.partition_name(key)},
                                                              {"from", lost.from},
                                                              {"to", lost.to},
                                                              {"first_epoch", lost.first_epoch},
                                                              {"last_epoch", lost.last_epoch},
                                                              {"truncated", cut}});
  if (cut) return;
  topics_.fail_partition(key, "the source lost offsets " + std::to_string(lost.from.value()) + " to " +
                                  std::to_string(lost.to.value()) + ", which were mirrored (on.divergence=stop)");
}

void PumpEvents::pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool) {
  env_.log().error("the source deleted records before they could be mirrored",
                   {{"partition", topics_.partition_name(key)}, {"from", from}, {"to", to}});
}

void PumpEvents::pump_topic_gone(const LinkPartition& key, const Error& why) {
  MirrorTopic* topic = topics_.of_pump(key);
  if (topic && topic->pumping()) topic->fail("the source topic is gone: " + why.to_string());
}

void PumpEvents::pump_failed(const LinkPartition& key, const Error& why) {
  if (why == ErrorCode::kFenced && mode_ == LinkMode::kRelay) return fences_.fenced(key, why);
  if (why == ErrorCode::kFenced) status_.lost_to_another_gateway();
  topics_.fail_partition(key, why.to_string());
}

}  // namespace farshore::linker
