// A pump between a source and a target that fail at random.
#include <deque>

#include "base/random.h"
#include "replicator/testing/pump_fixture.h"

namespace farshore::replicator {
namespace {

// A source with a history (truncations, retention, gaps) and a target that compares as MirrorAppend does. Whatever goes
// wrong on the way, in the end the target holds what the source holds, from the higher of their log starts.
TEST_F(PumpTest, UnderRandomFailuresTheTargetBecomesTheSource) {
  const uint64_t seed = 20261123;
  options_.may_cut_all = true;
  for (uint64_t run = 0; run < 200; ++run) {
    SCOPED_TRACE("seed " + std::to_string(seed + run));
    Random random(seed + run);
    struct Stored {
      int64_t base, next;
      int32_t epoch;
      uint32_t crc;
      bool operator==(const Stored&) const = default;
    };
    std::vector<Stored> source_log, target_log;
    int64_t source_end = 0, log_start = 0, target_end = 0;
    int32_t epoch = 1;
    int64_t session = 0;
    recorder_ = {};
    pump_.reset();
    std::deque<Pumped> wire;
    auto last_epoch = [&] { return target_log.empty() ? -1 : target_log.back().epoch; };
    auto stored_bytes = [&](const Stored& s) {
      BatchBuilder builder;
      builder.base_offset(s.base).leader_epoch(s.epoch);
      for (int64_t i = s.base; i < s.next; ++i) builder.add(1000 + i, "k", std::to_string(s.epoch * 1000000 + i));
      return builder.build_run(arena_);
    };
    auto step = [&](bool faults) {
      switch (random.below(6)) {
        case 0:
          if (!faults) break;
          if (random.chance(0.1) && source_end > log_start) {  // the source loses its tail
            int64_t to = random.between(log_start, source_end);
            while (!source_log.empty() && source_log.back().next > to) source_log.pop_back();
            source_end = source_log.empty() ? log_start : source_log.back().next;
            ++epoch;
          } else if (random.chance(0.1) && source_log.size() > 2) {  // retention
            source_log.erase(source_log.begin());
            log_start = source_log.front().base;
          } else {
            Stored s{source_end, source_end + random.between(1, 4), epoch, 0};
            s.crc = stored_bytes(s).batches[0].crc;
            source_log.push_back(s);
            source_end = s.next;
          }
          break;
        case 1: {  // the fetcher
          auto at = pump().next();
          if (!at) break;
          int64_t offset = at->offset.value();
          SourceState told = state(source_end, log_start, epoch);
          if (offset < log_start || offset > source_end) {
            if (offset > source_end && at->last_fetched_epoch.value() >= 0 && random.chance(0.5)) {
              pump().on_diverged(at->generation, source_log.empty() ? LogEpoch(-1) : LogEpoch(source_log.back().epoch),
                                 SourceOffset(source_end));
            } else {
              pump().on_out_of_range(at->generation, told, SourceOffset(source_end), now_);
            }
            break;
          }
          // What a broker compares: where the largest epoch that is not above ours ends.
          int32_t asked = at->last_fetched_epoch.value();
          if (asked >= 0) {
            int32_t known = -1;
            int64_t end = log_start;
            for (const auto& s : source_log) {
              if (s.epoch > asked) break;
              known = s.epoch;
              end = s.next;
            }
            if (known >= 0 && (known < asked || end < offset)) {
              pump().on_diverged(at->generation, LogEpoch(known), SourceOffset(end));
              break;
            }
            if (known < 0 && offset > log_start) {  // nothing of our lineage is left
              pump().on_diverged(at->generation, LogEpoch(-1), SourceOffset(log_start));
              break;
            }
          }
          BatchRun found;
          for (const auto& s : source_log) {
            if (s.next <= offset) continue;
            found.append(stored_bytes(s));
            if (random.chance(0.3)) break;
          }
          if (faults && random.chance(0.05)) break;  // the answer is lost
          pump().on_fetched(at->generation, at->offset, std::move(found), told, now_);
          break;
        }
        case 2:  // the sink
          if (auto pumped = pump().take(static_cast<size_t>(random.between(1, 500))))
            wire.push_back(std::move(*pumped));
          break;
        case 3: {  // the target answers the oldest append
          if (wire.empty()) break;
          Pumped pumped = std::move(wire.front());
          wire.pop_front();
          bool accepted = pumped.session.value() == session && pumped.expected_end.value() == target_end &&
                          pumped.epoch_before.value() == last_epoch();
          if (faults && random.chance(0.05)) {  // never arrived
            pump().on_append_failed(pumped.generation, Error(ErrorCode::kTimedOut), std::nullopt);
            break;
          }
          if (!accepted) {
            pump().on_append_failed(pumped.generation, Error(ErrorCode::kConflict), std::nullopt);
            break;
          }
          for (const auto& b : pumped.run.batches)
            target_log.push_back({b.first().value(), b.next().value(), b.epoch().value(), b.crc});
          if (!target_log.empty() && !pumped.run.empty()) target_end = target_log.back().next;
          if (faults && random.chance(0.05)) {  // applied, the answer is lost
            pump().on_append_failed(pumped.generation, Error(ErrorCode::kConnectionReset), std::nullopt);
            break;
          }
          AppendAck done;
          done.end = done.high_watermark = SourceOffset(target_end);
          pump().on_appended(pumped.generation, done);
          break;
        }
        case 4: {  // a control request
          ControlRequest control_request = pump().control_request();
          if (control_request.kind == ControlRequest::Kind::kNone) break;
          if (faults && random.chance(0.1)) {
            pump().on_control_failed(pump().generation(), Error(ErrorCode::kTimedOut));
            break;
          }
          LostRange lost;
          int64_t before = target_end;
          if (control_request.kind == ControlRequest::Kind::kTruncate) {
            int64_t to = control_request.offset.value();
            auto above = [&](const Stored& s) {
              return s.next > to || (control_request.epoch.value() >= 0 && s.epoch > control_request.epoch.value());
            };
            while (!target_log.empty() && above(target_log.back())) target_log.pop_back();
            target_end = target_log.empty() ? std::min(target_end, to) : target_log.back().next;
            lost.from = SourceOffset(target_end);
            lost.to = SourceOffset(before);
          } else if (control_request.kind == ControlRequest::Kind::kAdvance &&
                     control_request.offset.value() > target_end) {
            target_log.clear();
            target_end = control_request.offset.value();
          }
          ++session;
          pump().on_target(pump().generation(), target(target_end, last_epoch(), session), lost);
          break;
        }
        default:
          now_ += milliseconds(1);
      }
    };
    for (int i = 0; i < 600; ++i) step(true);
    for (int i = 0; i < 3000; ++i) step(false);
    ASSERT_EQ(pump().phase(), PumpPhase::kRunning) << pump().progress(now_).failure.to_string();
    ASSERT_EQ(target_end, source_end);
    std::vector<Stored> common;
    for (const auto& s : target_log)
      if (s.base >= log_start) common.push_back(s);
    // Nothing that the source has is missing or different, except what came before the mirror's own start.
    int64_t mirror_start = common.empty() ? target_end : common.front().base;
    std::vector<Stored> expected;
    for (const auto& s : source_log)
      if (s.base >= mirror_start) expected.push_back(s);
    ASSERT_EQ(common, expected);
  }
}

}  // namespace
}  // namespace farshore::replicator
