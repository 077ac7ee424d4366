// StubSink: a BatchSink for tests that takes no batches. It refuses the first `fences` openings with kFenced.
#pragma once

#include "replicator/pump.h"
#include "replicator/sink.h"

namespace farshore::linker {

class StubSink final : public replicator::BatchSink {
 public:
  int fences = 0, opened = 0;
  replicator::TargetState has;  // what open() answers, with a session

  void attach(replicator::PartitionPump&, replicator::SinkTarget) override {}
  void detach(const LinkPartition&) override {}
  void ready(replicator::PartitionPump&) override {}
  Task<Result<replicator::TargetState>> open(LinkPartition) override {
    if (fences > 0) {
      --fences;
      co_return Error(ErrorCode::kFenced, "a later epoch");
    }
    replicator::TargetState state = has;
    state.session = PumpSession(++opened);
    co_return state;
  }
  Task<Result<replicator::Truncated>> truncate(LinkPartition, PumpSession, SourceOffset, LogEpoch) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<replicator::TargetState>> advance_log_start(LinkPartition, PumpSession, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  size_t appends_in_flight() const override { return 0; }
  Duration round_trip() const override { return {}; }
  Task<void> stop() override { co_return; }
};

}  // namespace farshore::linker
