// StubSink: a BatchSink for tests that takes no batches. It refuses the first `fences` openings with kFenced. With
// `changes` it cuts the mirror, and goes on behind gaps; the first `lose_answers` answers to that are lost.
#pragma once

#include <algorithm>

#include "replicator/pump.h"
#include "replicator/sink.h"

namespace farshore::linker {

class StubSink final : public replicator::BatchSink {
 public:
  int fences = 0, opened = 0, changed = 0, lose_answers = 0;
  bool changes = false;
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
  Task<Result<replicator::Truncated>> truncate(LinkPartition key, PumpSession, SourceOffset end,
                                               LogEpoch epoch) override {
    replicator::Truncated cut;
    cut.lost.from = std::min(end, has.end);
    cut.lost.to = has.end;
    auto changed = change(cut.lost.from, epoch);
    if (!changed) co_return std::move(changed).error();
    auto state = co_await open(key);
    if (!state) co_return std::move(state).error();
    cut.state = *state;
    co_return cut;
  }
  Task<Result<replicator::TargetState>> advance_log_start(LinkPartition key, PumpSession, SourceOffset to) override {
    auto changed = change(to, has.last_epoch);
    if (!changed) co_return std::move(changed).error();
    co_return co_await open(key);
  }
  size_t appends_in_flight() const override { return 0; }
  Duration round_trip() const override { return {}; }
  Task<void> stop() override { co_return; }

 private:
  Status change(SourceOffset end, LogEpoch epoch) {
    if (!changes) return Error(ErrorCode::kUnsupported);
    ++changed;
    has.end = has.high_watermark = end;
    has.last_epoch = end == SourceOffset(0) ? LogEpoch(-1) : epoch;
    if (lose_answers == 0) return ok();
    --lose_answers;
    return Error(ErrorCode::kConnectionReset);
  }
};

}  // namespace farshore::linker
