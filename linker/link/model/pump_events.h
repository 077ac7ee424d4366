// PumpEvents: what the pumps of one link report, applied to its mirror topics. Called from inside pumps, so it only
// changes states, writes to the log and starts work that runs later. Executor: the Env's. Owner: Link.
#pragma once

#include "linker/link/model/fence_recovery.h"

namespace farshore::linker {

class PumpEvents final : public replicator::PumpListener {
 public:
  // References outlive it.
  PumpEvents(Env& env, LinkMode mode, LinkStatus& status, MirrorTopics& topics, FenceRecovery& fences)
      : env_(env), mode_(mode), status_(status), topics_(topics), fences_(fences) {}

  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition& key, replicator::LostRange lost, bool cut) override;
  void pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool skipped) override;
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition& key, const Error& why) override;
  void pump_failed(const LinkPartition& key, const Error& why) override;

 private:
  void note_loss(const LinkPartition& key, NamedLoss::Kind kind, SourceOffset from, SourceOffset to);

  Env& env_;
  const LinkMode mode_;
  LinkStatus& status_;
  MirrorTopics& topics_;
  FenceRecovery& fences_;
};

}  // namespace farshore::linker
