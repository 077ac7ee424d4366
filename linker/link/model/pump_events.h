// PumpEvents: what the pumps of one link report, applied to its mirror topics. Called from inside pumps, so it only
// changes states, writes to the log and starts work that runs later. Executor: the Env's. Owner: Link.
#pragma once

#include "linker/link/model/fence_recovery.h"
#include "linker/link/model/loss_reports.h"

namespace farshore::linker {

class PumpEvents final : public replicator::PumpListener {
 public:
  // References outlive it.
  PumpEvents(Env& env, MirrorTopics& topics, FenceRecovery& fences, LossReports& losses)
      : env_(env), topics_(topics), fences_(fences), losses_(losses) {}

  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition& key, replicator::LostRange lost, bool cut) override;
  void pump_would_lose_all(const LinkPartition& key, replicator::LostRange lost) override;
  void pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool skipped) override;
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition& key, const Error& why) override;
  void pump_failed(const LinkPartition& key, const Error& why) override;

 private:
  // Of what the pump only finds: what it changes at the target is written down by LossSink.
  void note_loss(const LinkPartition& key, LossKind kind, SourceOffset from, SourceOffset to);

  Env& env_;
  MirrorTopics& topics_;
  FenceRecovery& fences_;
  LossReports& losses_;
};

}  // namespace farshore::linker
