// Reading ahead over a long way, in virtual time: what reaches the pump must be the source's log, whatever the guesses.
#include "replicator/catch_up.h"

#include <gtest/gtest.h>

#include "replicator/testing/fetch_world.h"

namespace farshore::replicator {
namespace {

TEST(CatchUp, ReadingAheadHidesALongRoundTrip) {
  FetchWorld far(milliseconds(50));
  far.fill(12 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
  const CatchUp& catch_up = mirror.fetcher->catch_up();
  EXPECT_GE(catch_up.asks_in_flight_most(), 4u);
  EXPECT_GT(catch_up.bytes_received(), 8u << 20);
  EXPECT_LT(catch_up.bytes_unused(), catch_up.bytes_received() / 6);
  // 48 responses of 256 KiB, one after the other, would take 48 round trips of 100 ms.
  EXPECT_LT(far.took(), milliseconds(2400));
}

TEST(CatchUp, ShortRoundTripIsReadByTheSessionAlone) {
  FetchWorld near(microseconds(200));
  near.fill(4 << 20, 1000, 1000, 16);
  Mirror& mirror = near.start_mirror();
  ASSERT_TRUE(near.until_mirrored());
  near.expect_the_source_s_log();
  EXPECT_EQ(mirror.fetcher->catch_up().asks_in_flight_most(), 0u);
}

TEST(CatchUp, LimitOfZeroSwitchesReadingAheadOff) {
  FetchWorld far(milliseconds(50));
  far.options.ahead_bytes_max = 0;
  far.fill(1 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until_mirrored());
  EXPECT_EQ(mirror.fetcher->catch_up().asks_in_flight_most(), 0u);
}

// Small records for a while, then large ones, and the other way round: guesses are too high and too low.
TEST(CatchUp, WrongGuessesLoseNoRecords) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FetchWorld far(milliseconds(50), seed);
    for (int i = 0; i < 6; ++i) {
      far.fill(1 << 20, 10, 40, 400);
      far.fill(1 << 20, 2000, 8000, 4);
    }
    Mirror& mirror = far.start_mirror();
    ASSERT_TRUE(far.until_mirrored());
    far.expect_the_source_s_log();
    EXPECT_GE(mirror.fetcher->catch_up().asks_in_flight_most(), 2u);
    EXPECT_GT(mirror.fetcher->catch_up().bytes_unused(), 0u);
  }
}

// Each guess is then too high: the session reads on, and few bytes come for nothing.
TEST(CatchUp, SourceThatSendsLessThanAskedForIsLeftToTheSession) {
  FetchWorld far(milliseconds(50));
  far.options.ahead_ask_bytes = 1 << 20;
  far.fill(5 << 20, 1000, 1000, 16);
  far.source->short_fetch_bytes_max = 300'000;
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
  EXPECT_LT(mirror.fetcher->catch_up().bytes_received(), 8u << 20);
}

TEST(CatchUp, FetchesAheadStayWithinTheBudget) {
  FetchWorld far(milliseconds(50));
  far.fill(12 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror(2 << 20, 2 << 20);
  mirror.holds = true;
  EXPECT_FALSE(far.until([&] { return mirror.end > 0; }, seconds(10)));
  EXPECT_GT(mirror.held_most, size_t{1} << 20);
  EXPECT_LE(mirror.held_most, (size_t{2} << 20) + kAskBytes);
  mirror.holds = false;
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
  EXPECT_LE(mirror.held_most, (size_t{2} << 20) + kAskBytes);
}

TEST(CatchUp, SourceThatComesBackIsReadOnFromThePumpsPosition) {
  FetchWorld far(milliseconds(50));
  far.fill(12 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until([&] { return mirror.end > 3000; }));
  ASSERT_LT(mirror.end, far.source->partition(kTopic, 0).end);
  far.restart_source();
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
}

TEST(CatchUp, PumpResetDropsAnswersInFlight) {
  FetchWorld far(milliseconds(50));
  far.fill(12 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until([&] { return mirror.end > 3000; }));
  ASSERT_FALSE(mirror.fetcher->catch_up().empty());
  mirror.pump->on_append_failed(mirror.pump->generation(), Error(ErrorCode::kTimedOut), std::nullopt);
  mirror.open();
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
}

TEST(CatchUp, RetentionAtTheSourceIsLeftToTheSession) {
  FetchWorld far(milliseconds(50));
  far.fill(12 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  ASSERT_TRUE(far.until([&] { return mirror.end > 1000 && !mirror.fetcher->catch_up().empty(); }));
  far.source->partition(kTopic, 0).delete_up_to(far.source->partition(kTopic, 0).end - 100);
  ASSERT_TRUE(far.until([&] { return mirror.pump->control_request().kind == ControlRequest::Kind::kAdvance; }));
  EXPECT_TRUE(mirror.fetcher->catch_up().empty());
}

TEST(CatchUp, RecordsWrittenMeanwhileAreFollowedToTheEnd) {
  FetchWorld far(milliseconds(50));
  far.fill(6 << 20, 1000, 1000, 16);
  Mirror& mirror = far.start_mirror();
  for (int i = 0; i < 30; ++i) {
    far.fill(256 << 10, 100, 3000, 16);
    (void)far.until([] { return false; }, milliseconds(40));
  }
  ASSERT_TRUE(far.until_mirrored());
  far.expect_the_source_s_log();
  EXPECT_TRUE(far.until([&] { return mirror.fetcher->catch_up().empty(); }));
}

}  // namespace
}  // namespace farshore::replicator
