#include "replicator/fetcher.h"

#include <gtest/gtest.h>

#include "replicator/testing/fetch_world.h"

namespace farshore::replicator {
namespace {

// Apache Kafka does so when its cache of sessions is full.
TEST(Fetcher, SourceWithoutSessionsReportsARetentionGapToo) {
  FetchWorld near(microseconds(200));
  near.fill(1 << 20, 1000, 1000, 16);
  near.source->partition(kTopic, 0).delete_up_to(near.source->partition(kTopic, 0).end - 100);
  Mirror& mirror = near.start_mirror();
  EXPECT_TRUE(near.until([&] { return mirror.pump->control_request().kind == ControlRequest::Kind::kAdvance; }));
}

TEST(Fetcher, SmallBatchesOverAShortRoundTripReachThePump) {
  FetchWorld near(microseconds(200));
  near.fill(100 << 10, 100, 100, 4);
  near.start_mirror();
  EXPECT_TRUE(near.until_mirrored());
  near.expect_the_source_s_log();
}

}  // namespace
}  // namespace farshore::replicator
