// LossSink: the link's BatchSink, in front of that of its target. What loses records is written down at the target
// before it is done, and what it has lost before the pump goes on (LossReports). So no cut and no gap is without a
// record, whenever a gateway dies and whichever answer is lost. Everything else is passed on.
// Executor: the replicator's. Owner: Link.
#pragma once

#include <map>

#include "linker/link/model/loss_reports.h"
#include "replicator/replicator.h"

namespace farshore::linker {

class LossSink final : public replicator::BatchSink {
 public:
  // References outlive it.
  LossSink(Env& env, replicator::BatchSink& sink, LossReports& losses, const replicator::Replicator& replicator)
      : env_(env), sink_(sink), losses_(losses), replicator_(replicator) {}

  void attach(replicator::PartitionPump& pump, replicator::SinkTarget target) override;
  void detach(const LinkPartition& key) override;
  void ready(replicator::PartitionPump& pump) override { sink_.ready(pump); }
  Task<Result<replicator::TargetState>> open(LinkPartition key) override;
  Task<Result<replicator::Truncated>> truncate(LinkPartition key, PumpSession session, SourceOffset end,
                                               LogEpoch epoch) override;
  Task<Result<replicator::TargetState>> advance_log_start(LinkPartition key, PumpSession session,
                                                          SourceOffset to) override;
  size_t appends_in_flight() const override { return sink_.appends_in_flight(); }
  Duration round_trip() const override { return sink_.round_trip(); }
  Task<void> stop() override { co_await sink_.stop(); }

 private:
  static constexpr Duration kStoreLimit = seconds(10);

  Task<Status> begin(LinkPartition key, LossKind kind, SourceOffset from, SourceOffset to);
  Task<Status> finish(LinkPartition key, SourceOffset end, SourceOffset cut_to = SourceOffset(-1));
  LossReports::Place place(const LinkPartition& key) const;
  // Where the mirror ends, as the pump knows it: it has just been opened, and nothing is in flight.
  SourceOffset target_end(const LinkPartition& key) const;

  Env& env_;
  replicator::BatchSink& sink_;
  LossReports& losses_;
  const replicator::Replicator& replicator_;
  std::map<LinkPartition, replicator::SinkTarget> targets_;  // as many as there are pumps
};

}  // namespace farshore::linker
