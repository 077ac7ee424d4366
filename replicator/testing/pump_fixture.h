// For tests: a pump whose source and target are the test itself (no I/O), and a record of the pump's calls.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/batch/builder.h"
#include "replicator/pump.h"

namespace farshore::replicator {

class PumpRecorder final : public PumpDriver, public PumpListener {
 public:
  void pump_can_send(PartitionPump&) override { ++sends; }
  void pump_fetch_changed(PartitionPump&) override { ++fetch_changes; }
  void pump_needs_control(PartitionPump&) override { ++controls; }
  void pump_problem(PartitionPump&, PumpProblem trouble, const Error& error) override {
    ++troubles[{trouble, error.code}];
  }
  void pump_caught_up(const LinkPartition&) override { ++caught_up; }
  void pump_diverged(const LinkPartition&, LostRange lost, bool cut) override { diverged.emplace_back(lost, cut); }
  void pump_retention_gap(const LinkPartition&, SourceOffset from, SourceOffset to, bool skipped) override {
    gaps.push_back({from.value(), to.value(), skipped});
  }
  void pump_log_start_moved(const LinkPartition&, SourceOffset log_start) override { log_start_seen = log_start; }
  void pump_topic_gone(const LinkPartition&, const Error&) override { ++gone; }
  void pump_failed(const LinkPartition&, const Error& why) override { failure = why; }

  struct Gap {
    int64_t from, to;
    bool skipped;
  };
  int sends = 0, fetch_changes = 0, controls = 0, caught_up = 0, gone = 0;
  std::map<std::pair<PumpProblem, ErrorCode>, int> troubles;
  std::vector<std::pair<LostRange, bool>> diverged;
  std::vector<Gap> gaps;
  SourceOffset log_start_seen;
  Error failure;
};

inline SourceState state(int64_t high_watermark, int64_t log_start = 0, int32_t epoch = 5) {
  return {SourceOffset(high_watermark), SourceOffset(high_watermark), SourceOffset(log_start), LeadershipEpoch(epoch)};
}

inline TargetState target(int64_t end, int32_t last_epoch, int64_t session) {
  return {SourceOffset(end), LogEpoch(last_epoch), SourceOffset(end), SourceOffset(0), PumpSession(session)};
}

class PumpTest : public testing::Test {
 protected:
  PartitionPump& pump() {
    if (!pump_) pump_ = std::make_unique<PartitionPump>(key_, options_, recorder_, recorder_);
    return *pump_;
  }
  void open(int64_t end, int32_t last_epoch = -1, int64_t session = 1) {
    ASSERT_NE(pump().control_request().kind, ControlRequest::Kind::kNone);
    pump().on_target(pump().generation(), target(end, last_epoch, session), {});
  }
  BatchRun batch(int64_t base, int records = 1, int32_t epoch = 3, size_t value_bytes = 10) {
    BatchBuilder builder;
    builder.base_offset(base).leader_epoch(epoch);
    std::string value(value_bytes, static_cast<char>('a' + base % 26));
    for (int i = 0; i < records; ++i) builder.add(1000 + base + i, "key", value);
    return builder.build_run(arena_);
  }
  size_t fetched(BatchRun run, SourceState source) {
    auto position = pump().next();
    if (!position) return 0;
    return pump().on_fetched(position->generation, position->offset, std::move(run), source, now_);
  }
  AppendAck ack(const Pumped& pumped) {
    AppendAck ack;
    ack.end = ack.high_watermark = pumped.run.empty() ? pumped.expected_end : SourceOffset(pumped.run.next().value());
    return ack;
  }
  static int64_t end_of(const Pumped& pumped) { return pumped.run.next().value(); }

  SlabArena arena_;
  LinkPartition key_{LinkId{{1}}, SourceTopicId{{2}}, PartitionId(0)};
  PumpOptions options_;
  PumpRecorder recorder_;
  MonoTime now_{seconds(100)};
  std::unique_ptr<PartitionPump> pump_;
};

}  // namespace farshore::replicator
