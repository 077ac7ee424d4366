#include "broker/partitions/fetch_sessions.h"

#include <gtest/gtest.h>

namespace farshore::broker {
namespace {

using kafka::ErrorCode;

FetchTarget target(const std::string& topic, int32_t partition, int64_t offset = 0) {
  FetchTarget t;
  t.topic = topic;
  t.partition = partition;
  t.fetch_offset = offset;
  t.bytes_max = 1000;
  return t;
}

FetchAnswer answer(int64_t high_watermark, bool has_records = false) {
  FetchAnswer a;
  a.high_watermark = high_watermark;
  a.log_start = 0;
  a.has_records = has_records;
  return a;
}

struct FetchSessions : testing::Test {
  MonoTime now{seconds(1000)};
  FetchSessionLimits limits{.sessions_max = 2, .partitions_max = 10, .eviction = minutes(2)};
  FetchSessionCache cache{Random(7), limits};

  FetchSessionRequest request(int32_t id, int32_t epoch, std::vector<FetchTarget> targets = {},
                              std::vector<FetchTarget> forgotten = {}) {
    FetchSessionRequest r;
    r.session_id = id;
    r.epoch = epoch;
    r.targets = std::move(targets);
    r.forgotten = std::move(forgotten);
    return r;
  }
  int32_t open(std::vector<FetchTarget> targets) {
    FetchPlan plan = cache.begin(request(0, 0, std::move(targets)), now);
    EXPECT_EQ(plan.error, ErrorCode::kNone);
    EXPECT_TRUE(plan.full);
    for (auto& t : plan.session->due()) EXPECT_TRUE(plan.session->note(t, answer(5), plan.full));
    return cache.finish(plan, true, now);
  }
  std::vector<int32_t> order(FetchSession& session) {
    std::vector<int32_t> partitions;
    for (auto& t : session.due()) partitions.push_back(t.partition);
    return partitions;
  }
};

TEST_F(FetchSessions, FullFetchWithEpochZeroMakesASessionWhoseFirstEpochIsOne) {
  int32_t id = open({target("t", 0), target("t", 1)});
  ASSERT_GT(id, 0);
  EXPECT_EQ(cache.session_count(), 1u);
  EXPECT_EQ(cache.partition_count(), 2u);
  FetchPlan next = cache.begin(request(id, 1), now);
  EXPECT_EQ(next.error, ErrorCode::kNone);
  EXPECT_FALSE(next.full);
  EXPECT_EQ(next.session->size(), 2u);
  EXPECT_EQ(cache.finish(next, true, now), id);
}

TEST_F(FetchSessions, FullFetchWithTheFinalEpochMakesNoSessionAndEndsTheNamedOne) {
  int32_t id = open({target("t", 0)});
  FetchPlan plan = cache.begin(request(id, -1, {target("t", 0)}), now);
  EXPECT_TRUE(plan.full);
  EXPECT_EQ(cache.finish(plan, true, now), 0);
  EXPECT_EQ(cache.session_count(), 0u);
  EXPECT_EQ(cache.partition_count(), 0u);
}

TEST_F(FetchSessions, UnknownSessionAndWrongEpochHaveDifferentErrors) {
  int32_t id = open({target("t", 0)});
  EXPECT_EQ(cache.begin(request(id == 1 ? 2 : id - 1, 1), now).error, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(cache.begin(request(id, 2), now).error, ErrorCode::kInvalidFetchSessionEpoch);
  // Neither touched the session.
  EXPECT_EQ(cache.begin(request(id, 1), now).error, ErrorCode::kNone);
}

TEST_F(FetchSessions, EpochsAdvanceWithEveryFetch) {
  int32_t id = open({target("t", 0)});
  for (int32_t epoch = 1; epoch < 5; ++epoch) {
    FetchPlan plan = cache.begin(request(id, epoch), now);
    ASSERT_EQ(plan.error, ErrorCode::kNone);
    EXPECT_EQ(cache.finish(plan, true, now), id);
    EXPECT_EQ(cache.begin(request(id, epoch), now).error, ErrorCode::kInvalidFetchSessionEpoch);
  }
}

TEST_F(FetchSessions, TopicIdsAndNamesDoNotMixInOneSession) {
  int32_t id = open({target("t", 0)});
  auto wrong = request(id, 1);
  wrong.uses_topic_ids = true;
  EXPECT_EQ(cache.begin(std::move(wrong), now).error, ErrorCode::kFetchSessionTopicIdError);
}

TEST_F(FetchSessions, IncrementalFetchAnswersOnlyChanges) {
  int32_t id = open({target("t", 0)});
  FetchPlan plan = cache.begin(request(id, 1), now);
  FetchTarget& t = plan.session->due().front();
  EXPECT_FALSE(plan.session->note(t, answer(5), plan.full)) << "nothing is new";
  EXPECT_TRUE(plan.session->note(t, answer(6), plan.full)) << "the high watermark moved";
  EXPECT_FALSE(plan.session->note(t, answer(6), plan.full));
  EXPECT_TRUE(plan.session->note(t, answer(6, true), plan.full)) << "records are always told";
  auto moved = answer(6);
  moved.log_start = 3;
  EXPECT_TRUE(plan.session->note(t, moved, plan.full)) << "the log start moved";
  auto diverged = moved;
  diverged.diverging = true;
  EXPECT_TRUE(plan.session->note(t, diverged, plan.full));
}

TEST_F(FetchSessions, ErrorIsAnsweredEveryTimeAndSoIsItsEnd) {
  int32_t id = open({target("t", 0)});
  FetchPlan plan = cache.begin(request(id, 1), now);
  FetchTarget& t = plan.session->due().front();
  auto broken = answer(-1);
  broken.error = ErrorCode::kNotLeaderOrFollower;
  EXPECT_TRUE(plan.session->note(t, broken, plan.full));
  EXPECT_TRUE(plan.session->note(t, broken, plan.full));
  EXPECT_TRUE(plan.session->note(t, answer(5), plan.full)) << "well again, with the watermark known before";
  EXPECT_FALSE(plan.session->note(t, answer(5), plan.full));
}

TEST_F(FetchSessions, ChangedPartitionKeepsItsPlaceAndItsAnnouncedValues) {
  int32_t id = open({target("t", 0), target("t", 1)});
  FetchPlan plan = cache.begin(request(id, 1, {target("t", 0, 42), target("t", 2)}), now);
  EXPECT_EQ(order(*plan.session), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(plan.session->due().front().fetch_offset, 42);
  EXPECT_EQ(plan.session->due().front().announced_high_watermark, 5);
  EXPECT_EQ(plan.session->due().back().announced_high_watermark, -1);
  EXPECT_EQ(cache.partition_count(), 3u);
  cache.finish(plan, true, now);
}

TEST_F(FetchSessions, ServedPartitionMovesBehindTheOthers) {
  int32_t id = open({target("t", 0), target("t", 1), target("t", 2)});
  FetchPlan plan = cache.begin(request(id, 1), now);
  plan.session->move_to_back(plan.session->due().begin());
  EXPECT_EQ(order(*plan.session), (std::vector<int32_t>{1, 2, 0}));
  // It is still found by its name.
  cache.finish(plan, true, now);
  plan = cache.begin(request(id, 2, {target("t", 0, 9)}), now);
  EXPECT_EQ(plan.session->due().back().fetch_offset, 9);
}

TEST_F(FetchSessions, ForgottenPartitionsAreGoneAndTheLastOneEndsTheSession) {
  int32_t id = open({target("t", 0), target("t", 1)});
  FetchPlan plan = cache.begin(request(id, 1, {}, {target("t", 0), target("never", 3)}), now);
  EXPECT_EQ(order(*plan.session), (std::vector<int32_t>{1}));
  EXPECT_EQ(cache.partition_count(), 1u);
  cache.finish(plan, true, now);
  plan = cache.begin(request(id, 2, {}, {target("t", 1)}), now);
  EXPECT_EQ(plan.error, ErrorCode::kNone);
  EXPECT_EQ(plan.session->size(), 0u);
  EXPECT_EQ(cache.finish(plan, true, now), 0);
  EXPECT_EQ(cache.session_count(), 0u);
  EXPECT_EQ(cache.begin(request(id, 3), now).error, ErrorCode::kFetchSessionIdNotFound);
}

TEST_F(FetchSessions, SecondFetchOfASessionAtTheSameTimeIsRefusedAndEndsIt) {
  int32_t id = open({target("t", 0)});
  FetchPlan first = cache.begin(request(id, 1), now);
  FetchPlan second = cache.begin(request(id, 2), now);
  EXPECT_EQ(second.error, ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(first.session->size(), 1u) << "the first fetch still has what it serves";
  EXPECT_EQ(cache.finish(first, true, now), 0);
  EXPECT_EQ(cache.begin(request(id, 2), now).error, ErrorCode::kFetchSessionIdNotFound);
}

TEST_F(FetchSessions, FullCacheServesWithoutASessionUntilAnOldOneCanBeEvicted) {
  int32_t first = open({target("t", 0)});
  now += minutes(1);
  int32_t second = open({target("t", 1)});
  EXPECT_GT(second, 0);
  EXPECT_EQ(open({target("t", 2)}), 0) << "both are too young to go";
  now += minutes(1) + seconds(1);  // the first was used more than two minutes ago
  EXPECT_GT(open({target("t", 2)}), 0);
  EXPECT_EQ(cache.evictions(), 1u);
  EXPECT_EQ(cache.begin(request(first, 1), now).error, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(cache.begin(request(second, 1), now).error, ErrorCode::kNone);
}

TEST_F(FetchSessions, UsedSessionIsNotEvicted) {
  int32_t first = open({target("t", 0)});
  int32_t second = open({target("t", 1)});
  now += minutes(3);
  FetchPlan plan = cache.begin(request(first, 1), now);
  cache.finish(plan, true, now);
  EXPECT_GT(open({target("t", 2)}), 0);
  EXPECT_EQ(cache.begin(request(second, 1), now).error, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(cache.begin(request(first, 2), now).error, ErrorCode::kNone);
}

TEST_F(FetchSessions, SessionsTogetherHoldNoMorePartitionsThanTheLimit) {
  std::vector<FetchTarget> many;
  for (int32_t i = 0; i < 11; ++i) many.push_back(target("t", i));
  EXPECT_EQ(open(many), 0);
  many.resize(9);
  int32_t id = open(many);
  ASSERT_GT(id, 0);
  EXPECT_EQ(open({target("u", 0), target("u", 1)}), 0);
  FetchPlan plan = cache.begin(request(id, 1, {target("v", 0), target("v", 1)}), now);
  EXPECT_EQ(plan.error, ErrorCode::kFetchSessionIdNotFound) << "grown beyond it: starts again without a session";
  EXPECT_EQ(cache.partition_count(), 0u);
}

TEST_F(FetchSessions, FailedFetchEndsItsSession) {
  int32_t id = open({target("t", 0)});
  FetchPlan plan = cache.begin(request(id, 1), now);
  EXPECT_EQ(cache.finish(plan, false, now), 0);
  EXPECT_EQ(cache.session_count(), 0u);
}

}  // namespace
}  // namespace farshore::broker
