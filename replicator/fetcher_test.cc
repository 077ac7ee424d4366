#include "replicator/fetcher.h"

#include <gtest/gtest.h>

#include "proto/kafka/messages/fetch.h"
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

TEST(Fetcher, AnswerThatRefusesTheWholeRequestSaysNothingOfItsPartitions) {
  FetchWorld near(microseconds(200));
  near.fill(10 << 10, 100, 100, 4);
  Mirror& mirror = near.start_mirror();
  ASSERT_TRUE(near.until_mirrored());
  int refused = 0;
  near.source->answer = [&refused](kafka::FakeCall& call) {
    if (call.key() != kafka::FetchRequest::kApiKey) return false;
    kafka::FetchResponse response;
    response.error_code = static_cast<int16_t>(kafka::ErrorCode::kFetchSessionIdNotFound);
    call.reply(response);
    ++refused;
    return true;
  };
  ASSERT_TRUE(near.until([&] { return refused > 0; }, seconds(10)));
  const MonoTime heard = mirror.fetcher->known_as_of(mirror.pump->key());
  ASSERT_TRUE(near.until([&] { return refused > 5; }, seconds(60)));
  EXPECT_EQ(mirror.fetcher->known_as_of(mirror.pump->key()), heard);
}

// Else a source that lost its last records would be shown with its new, lower end, as of a time before the loss.
TEST(Fetcher, WhatTheSourceSaysOfAPartitionOutOfRangeIsDated) {
  FetchWorld near(microseconds(200));
  near.fill(100 << 10, 100, 100, 4);
  auto& partition = near.source->partition(kTopic, 0);
  partition.delete_up_to(partition.end - 10);
  Mirror& mirror = near.start_mirror();
  ASSERT_TRUE(near.until([&] { return mirror.pump->progress(MonoTime()).source.high_watermark > SourceOffset(0); }));
  EXPECT_NE(mirror.fetcher->known_as_of(mirror.pump->key()), MonoTime());
}

}  // namespace
}  // namespace farshore::replicator
