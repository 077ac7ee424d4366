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

// A fetch session says what it has said before only to a partition that is new to it (KIP-227).
TEST(Fetcher, PartitionThatWasRemovedAndAddedHearsOfTheSourceAnew) {
  FetchWorld near(microseconds(200));
  near.fill(100 << 10, 100, 100, 4);
  Mirror& mirror = near.start_mirror();
  ASSERT_TRUE(near.until_mirrored());
  const MonoTime before = mirror.pump->progress(MonoTime()).last_news;
  mirror.fetcher->remove(mirror.pump->key());
  mirror.fetcher->add(*mirror.pump, kTopic, LeadershipEpoch(0));
  EXPECT_TRUE(near.until([&] { return mirror.pump->progress(MonoTime()).last_news > before; }, seconds(10)));
}

}  // namespace
}  // namespace farshore::replicator
