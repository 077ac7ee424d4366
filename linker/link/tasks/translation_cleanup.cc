#include "linker/link/tasks/translation_cleanup.h"

namespace farshore::linker {

Task<Status> TranslationCleanup::run(Deadline deadline) {
  Status result;
  const auto keys = link_.topics.pumps();
  for (const auto& key : keys) {
    auto progress = link_.replicator.progress(key);
    if (!progress || progress->pump.phase != replicator::PumpPhase::kRunning) continue;
    MirrorTopic* topic = link_.topics.of_pump(key);
    const SourceOffset log_start = progress->pump.source.log_start;
    if (!topic || log_start <= topic->dropped_below(key)) continue;
    auto dropped = co_await link_.target.forget_below(key, log_start, deadline);
    if (dropped)
      topic->set_dropped_below(key, log_start);
    else if (dropped.error() != ErrorCode::kFenced)
      result = std::move(dropped).error().in("forget what the source deleted");
  }
  co_return result;
}

}  // namespace farshore::linker
