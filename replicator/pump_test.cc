#include "replicator/pump.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/random.h"
#include "proto/batch/builder.h"

namespace farshore::replicator {
namespace {

class Recorder final : public PumpDriver, public PumpListener {
 public:
  void pump_can_send(PartitionPump&) override { ++sends; }
  void pump_fetch_changed(PartitionPump&) override { ++fetch_changes; }
  void pump_needs_control(PartitionPump&) override { ++controls; }
  void pump_trouble(PartitionPump&, PumpTrouble trouble, const Error& error) override {
    ++troubles[{trouble, error.code}];
  }
  void pump_caught_up(const PumpKey&) override { ++caught_up; }
  void pump_diverged(const PumpKey&, LostRange lost, bool cut) override { diverged.emplace_back(lost, cut); }
  void pump_retention_gap(const PumpKey&, SourceOffset from, SourceOffset to, bool skipped) override {
    gaps.push_back({from.value(), to.value(), skipped});
  }
  void pump_log_start_moved(const PumpKey&, SourceOffset log_start) override { log_start_seen = log_start; }
  void pump_topic_gone(const PumpKey&, const Error&) override { ++gone; }
  void pump_failed(const PumpKey&, const Error& why) override { failure = why; }

  struct Gap {
    int64_t from, to;
    bool skipped;
  };
  int sends = 0, fetch_changes = 0, controls = 0, caught_up = 0, gone = 0;
  std::map<std::pair<PumpTrouble, ErrorCode>, int> troubles;
  std::vector<std::pair<LostRange, bool>> diverged;
  std::vector<Gap> gaps;
  SourceOffset log_start_seen;
  Error failure;
};

SourceState state(int64_t high_watermark, int64_t log_start = 0, int32_t epoch = 5) {
  return {SourceOffset(high_watermark), SourceOffset(high_watermark), SourceOffset(log_start), LeadershipEpoch(epoch)};
}

TargetState target(int64_t end, int32_t last_epoch, int64_t session) {
  return {SourceOffset(end), LogEpoch(last_epoch), SourceOffset(end), SourceOffset(0), PumpSession(session)};
}

class PumpTest : public testing::Test {
 protected:
  PartitionPump& pump() {
    if (!pump_) pump_ = std::make_unique<PartitionPump>(key_, options_, recorder_, recorder_);
    return *pump_;
  }
  void open(int64_t end, int32_t last_epoch = -1, int64_t session = 1) {
    ASSERT_NE(pump().wish().kind, PumpWish::Kind::kNone);
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
  PumpKey key_{LinkId{{1}}, TopicId{{2}}, PartitionId(0)};
  PumpOptions options_;
  Recorder recorder_;
  MonoTime now_{seconds(100)};
  std::unique_ptr<PartitionPump> pump_;
};

TEST_F(PumpTest, BeginsByOpeningAndFetchesNothingBefore) {
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kOpen);
  EXPECT_FALSE(pump().next());
  EXPECT_FALSE(pump().take(1000));
  open(42, 3, 9);
  auto position = pump().next();
  ASSERT_TRUE(position);
  EXPECT_EQ(position->offset, SourceOffset(42));
  EXPECT_EQ(position->last_fetched_epoch, LogEpoch(3));
  EXPECT_EQ(position->session, PumpSession(9));
}

TEST_F(PumpTest, IdlePartitionsAreSmall) { EXPECT_LE(sizeof(PartitionPump), 512u); }

TEST_F(PumpTest, HandsBatchesOnWithWhatMustHoldAtTheTarget) {
  open(10, 2, 7);
  EXPECT_GT(fetched(batch(10, 5, 3), state(30)), 0u);
  fetched(batch(15, 5, 4), state(30));
  auto first = pump().take(1);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->expected_end, SourceOffset(10));
  EXPECT_EQ(first->epoch_before, LogEpoch(2));
  EXPECT_EQ(first->session, PumpSession(7));
  EXPECT_EQ(first->source.high_watermark, SourceOffset(30));
  EXPECT_EQ(end_of(*first), 15);
  auto second = pump().take(1 << 20);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->expected_end, SourceOffset(15));
  EXPECT_EQ(second->epoch_before, LogEpoch(3));
  EXPECT_EQ(end_of(*second), 20);
  pump().on_appended(first->generation, ack(*first));
  EXPECT_EQ(pump().progress(now_).target_end, SourceOffset(15));
  pump().on_appended(second->generation, ack(*second));
  auto progress = pump().progress(now_);
  EXPECT_EQ(progress.target_end, SourceOffset(20));
  EXPECT_EQ(progress.lag_offsets, 10);
  EXPECT_EQ(progress.batches, 2u);
}

TEST_F(PumpTest, LeavesOutBatchesFromBeforeThePosition) {
  open(15, 3);
  BatchRun run = batch(10, 5);
  run.append(batch(15, 5));
  fetched(std::move(run), state(20));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->run.first(), Offset(15));
}

TEST_F(PumpTest, IgnoresAnswersToOtherPositionsAndOlderGenerations) {
  open(10, 3);
  auto position = *pump().next();
  pump().on_fetched(position.generation, SourceOffset(11), batch(11), state(20), now_);
  pump().on_fetched(position.generation - 1, SourceOffset(10), batch(10), state(20), now_);
  EXPECT_FALSE(pump().can_send());
  fetched(batch(10), state(20));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  pump().on_append_failed(pumped->generation, Error(ErrorCode::kConnectionReset), std::nullopt);
  open(10, 3, 2);
  pump().on_appended(pumped->generation, ack(*pumped));  // arrives late: it says nothing about this session
  EXPECT_EQ(pump().progress(now_).target_end, SourceOffset(10));
}

TEST_F(PumpTest, AFailedAppendDropsWhatFollowsAndTakesTheTargetsWord) {
  open(0);
  fetched(batch(0, 5), state(15));
  auto first = pump().take(1);
  fetched(batch(5, 5), state(15));
  auto second = pump().take(1);
  fetched(batch(10, 5), state(15));
  ASSERT_TRUE(first && second);
  pump().on_append_failed(first->generation, Error(ErrorCode::kTimedOut), std::nullopt);
  pump().on_append_failed(second->generation, Error(ErrorCode::kTimedOut), std::nullopt);
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kOpen);
  EXPECT_EQ(pump().failed_appends(), 1);
  EXPECT_FALSE(pump().can_send());
  open(5, 3, 2);  // the first had been applied after all
  EXPECT_EQ(pump().next()->offset, SourceOffset(5));
  fetched(batch(5, 5), state(15));
  auto again = pump().take(1);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->session, PumpSession(2));
  EXPECT_EQ(again->expected_end, SourceOffset(5));
  pump().on_appended(again->generation, ack(*again));
  EXPECT_EQ(pump().failed_appends(), 0);
}

TEST_F(PumpTest, BeingFencedIsFinal) {
  open(0);
  fetched(batch(0), state(1));
  auto pumped = pump().take(1);
  pump().on_append_failed(pumped->generation, Error(ErrorCode::kFenced, "epoch 8 owns it"), std::nullopt);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(recorder_.failure.code, ErrorCode::kFenced);
  EXPECT_FALSE(pump().next());
  pump().restart();
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kOpen);
}

TEST_F(PumpTest, ACompactionGapIsCarriedOverWhenTheSourceStillHasThePosition) {
  open(10, 3);
  fetched(batch(17, 2), state(19, /*log_start=*/4));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  EXPECT_EQ(pumped->expected_end, SourceOffset(10));
  EXPECT_EQ(pumped->run.first(), Offset(17));
  EXPECT_TRUE(recorder_.gaps.empty());
}

TEST_F(PumpTest, AGapBelowTheSourcesLogStartIsRetentionThatOutranTheMirror) {
  open(10, 3);
  fetched(batch(17, 2), state(19, /*log_start=*/17));
  EXPECT_FALSE(pump().can_send());
  PumpWish wish = pump().wish();
  EXPECT_EQ(wish.kind, PumpWish::Kind::kAdvance);
  EXPECT_EQ(wish.offset, SourceOffset(17));
  open(17, -1, 2);
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_EQ(recorder_.gaps[0].from, 10);
  EXPECT_EQ(recorder_.gaps[0].to, 17);
  EXPECT_TRUE(recorder_.gaps[0].skipped);
  EXPECT_EQ(pump().next()->offset, SourceOffset(17));
}

TEST_F(PumpTest, RetentionThatOutranTheMirrorStopsItWhereThePolicySaysSo) {
  options_.on_retention_gap = OnMismatch::kStop;
  open(10, 3);
  pump().on_out_of_range(pump().generation(), state(40, 17), SourceOffset(40), now_);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.gaps.size(), 1u);
  EXPECT_FALSE(recorder_.gaps[0].skipped);
}

TEST_F(PumpTest, ADivergenceTruncatesAndNamesWhatWasLost) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  PumpWish wish = pump().wish();
  EXPECT_EQ(wish.kind, PumpWish::Kind::kTruncate);
  EXPECT_EQ(wish.offset, SourceOffset(90));
  EXPECT_EQ(wish.epoch, LogEpoch(6));
  LostRange lost;
  lost.from = SourceOffset(90);
  lost.to = SourceOffset(100);
  pump().on_target(pump().generation(), target(90, 6, 2), lost);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_EQ(recorder_.diverged[0].first.to, SourceOffset(100));
  EXPECT_EQ(recorder_.diverged[0].first.last_epoch, LogEpoch(7));
  EXPECT_TRUE(recorder_.diverged[0].second);
  EXPECT_EQ(pump().next()->last_fetched_epoch, LogEpoch(6));
}

TEST_F(PumpTest, ADivergenceStopsThePartitionWhereThePolicySaysSo) {
  options_.on_divergence = OnMismatch::kStop;
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  ASSERT_EQ(recorder_.diverged.size(), 1u);
  EXPECT_EQ(recorder_.diverged[0].first.from, SourceOffset(90));
  EXPECT_FALSE(recorder_.diverged[0].second);
}

TEST_F(PumpTest, ASourceThatLostItsTailIsADivergence) {
  open(100, 7);
  pump().on_out_of_range(pump().generation(), state(60), SourceOffset(60), now_);
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kTruncate);
  EXPECT_EQ(pump().wish().offset, SourceOffset(60));
}

TEST_F(PumpTest, ATargetThatEndsInsideABatchOfTheSourceHasAnotherBatchThere) {
  open(13, 3);
  fetched(batch(10, 10), state(20));
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kTruncate);
  EXPECT_EQ(pump().wish().offset, SourceOffset(10));
}

TEST_F(PumpTest, ATruncationThatChangesNothingIsNotRepeatedForEver) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(100));
  pump().on_target(pump().generation(), target(100, 7, 2), {});
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
}

TEST_F(PumpTest, ATruncationWhoseSessionEndedOpensAnew) {
  open(100, 7);
  pump().on_diverged(pump().generation(), LogEpoch(6), SourceOffset(90));
  pump().on_wish_failed(pump().generation(), Error(ErrorCode::kConflict, "stale"));
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kOpen);
}

TEST_F(PumpTest, ABadChecksumKeepsTheGoodBatchesAndFailsAfterSeveralTries) {
  open(0);
  for (int i = 0; i < options_.corrupt_fetches_max; ++i) {
    BatchRun run = i == 0 ? batch(0, 5) : BatchRun();
    BatchRun bad = batch(5, 5);
    std::byte flipped[] = {std::byte(0xff)};
    bad.bytes.patch(70, flipped);
    run.append(std::move(bad));
    EXPECT_EQ(pump().phase(), PumpPhase::kRunning);
    fetched(std::move(run), state(10));
    if (i == 0) {
      EXPECT_EQ(pump().next()->offset, SourceOffset(5));
    }
  }
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
  EXPECT_EQ(recorder_.failure.code, ErrorCode::kCorrupt);
  const int counted = recorder_.troubles[{PumpTrouble::kCorrupt, ErrorCode::kCorrupt}];
  EXPECT_EQ(counted, options_.corrupt_fetches_max) << "each of them is counted";
}

TEST_F(PumpTest, EveryRefusedAppendAndWishIsCountedByItsKind) {
  Error full(ErrorCode::kNoSpace, "full"), gone(ErrorCode::kTimedOut, "gone");
  pump().on_wish_failed(pump().generation(), gone);
  open(0);
  fetched(batch(0, 5), state(5));
  ASSERT_TRUE(pump().take(1 << 20));
  const uint32_t sent = pump().generation();
  pump().on_append_failed(sent, full, std::nullopt);
  pump().on_append_failed(sent, full, std::nullopt);  // of a generation that is over: part of the same failure
  const std::map<std::pair<PumpTrouble, ErrorCode>, int> expected{{{PumpTrouble::kWish, ErrorCode::kTimedOut}, 1},
                                                                  {{PumpTrouble::kAppend, ErrorCode::kNoSpace}, 1}};
  EXPECT_EQ(recorder_.troubles, expected);
}

TEST_F(PumpTest, AnAppendWithoutBatchesDoesNotEndTheWaitingAfterARefusedOne) {
  open(0);
  for (int i = 1; i <= 3; ++i) {
    fetched(batch(0, 5), state(5));
    ASSERT_TRUE(pump().take(1 << 20));
    pump().on_append_failed(pump().generation(), Error(ErrorCode::kNoSpace, "full"), std::nullopt);
    EXPECT_EQ(pump().failed_appends(), i);
    open(0, -1, i + 1);
    auto news = pump().take(1 << 20);
    ASSERT_TRUE(news && news->run.empty());
    AppendAck nothing;  // the target's end stays 0
    pump().on_appended(news->generation, nothing);
    EXPECT_EQ(pump().failed_appends(), i);
  }
  fetched(batch(0, 5), state(5));
  auto pumped = pump().take(1 << 20);
  ASSERT_TRUE(pumped);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(pump().failed_appends(), 0);
}

TEST_F(PumpTest, EpochsThatGoBackAreRefused) {
  open(0);
  fetched(batch(0, 5, 4), state(10));
  fetched(batch(5, 5, 3), state(10));
  EXPECT_EQ(pump().next()->offset, SourceOffset(5));
}

TEST_F(PumpTest, AFullPumpAsksForNothingUntilTheSinkTookSome) {
  options_.buffered_bytes_max = 1000;
  open(0);
  EXPECT_EQ(fetched(batch(0, 1, 3, 2000), state(10)), 0u);
  EXPECT_FALSE(pump().next());
  int changes = recorder_.fetch_changes;
  ASSERT_TRUE(pump().take(1));
  EXPECT_GT(recorder_.fetch_changes, changes);
  EXPECT_TRUE(pump().next());
}

TEST_F(PumpTest, NewsWithoutBatchesIsToldOnce) {
  open(10, 3);
  fetched(BatchRun(), state(10, 2));
  auto news = pump().take(1 << 20);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->run.empty());
  EXPECT_EQ(news->source.log_start, SourceOffset(2));
  pump().on_appended(news->generation, ack(*news));
  EXPECT_FALSE(pump().take(1 << 20));
  fetched(BatchRun(), state(10, 2));
  EXPECT_FALSE(pump().take(1 << 20));
  fetched(BatchRun(), state(10, 6));
  EXPECT_EQ(recorder_.log_start_seen, SourceOffset(6));
  news = pump().take(1 << 20);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->source.log_start, SourceOffset(6));
}

TEST_F(PumpTest, CatchingUpIsToldEachTime) {
  open(0);
  fetched(batch(0, 5), state(5));
  auto pumped = pump().take(1 << 20);
  EXPECT_EQ(recorder_.caught_up, 0);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(recorder_.caught_up, 1);
  fetched(batch(5, 5), state(10));
  pumped = pump().take(1 << 20);
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(recorder_.caught_up, 2);
}

TEST_F(PumpTest, LagInTimeIsSinceTheOldestMissingOffsetWasKnown) {
  open(0);
  fetched(batch(0, 5), state(100));
  EXPECT_EQ(pump().progress(now_ + seconds(3)).lag, seconds(3));
  auto pumped = pump().take(1 << 20);
  now_ += seconds(5);
  fetched(batch(5, 95), state(150));
  pump().on_appended(pumped->generation, ack(*pumped));
  EXPECT_EQ(pump().progress(now_).lag, seconds(5));
  pumped = pump().take(1 << 20);
  pump().on_appended(pumped->generation, ack(*pumped));
  now_ += seconds(1);
  EXPECT_EQ(pump().progress(now_).lag, seconds(1));  // offsets 100..149 are known since then
  EXPECT_EQ(pump().progress(now_).lag_offsets, 50);
}

TEST_F(PumpTest, APausedPumpNeitherFetchesNorSends) {
  open(0);
  fetched(batch(0, 5), state(5));
  pump().pause();
  EXPECT_FALSE(pump().next());
  EXPECT_FALSE(pump().take(1));
  pump().resume();
  EXPECT_EQ(pump().wish().kind, PumpWish::Kind::kOpen);
}

TEST_F(PumpTest, ADeletedTopicFailsThePartition) {
  open(0);
  pump().on_topic_gone(Error(ErrorCode::kNotFound, "deleted"));
  EXPECT_EQ(recorder_.gone, 1);
  EXPECT_EQ(pump().phase(), PumpPhase::kFailed);
}

// A source with a history (truncations, retention, gaps) and a target that compares as MirrorAppend does. Whatever goes
// wrong on the way, in the end the target holds what the source holds, from the higher of their log starts.
TEST_F(PumpTest, UnderRandomFailuresTheTargetBecomesTheSource) {
  const uint64_t seed = 20261123;
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
        case 4: {  // a wish
          PumpWish wish = pump().wish();
          if (wish.kind == PumpWish::Kind::kNone) break;
          if (faults && random.chance(0.1)) {
            pump().on_wish_failed(pump().generation(), Error(ErrorCode::kTimedOut));
            break;
          }
          LostRange lost;
          int64_t before = target_end;
          if (wish.kind == PumpWish::Kind::kTruncate) {
            int64_t to = wish.offset.value();
            auto above = [&](const Stored& s) {
              return s.next > to || (wish.epoch.value() >= 0 && s.epoch > wish.epoch.value());
            };
            while (!target_log.empty() && above(target_log.back())) target_log.pop_back();
            target_end = target_log.empty() ? std::min(target_end, to) : target_log.back().next;
            lost.from = SourceOffset(target_end);
            lost.to = SourceOffset(before);
          } else if (wish.kind == PumpWish::Kind::kAdvance && wish.offset.value() > target_end) {
            target_log.clear();
            target_end = wish.offset.value();
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
    ASSERT_EQ(pump().phase(), PumpPhase::kRunning) << pump().failure().to_string();
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
