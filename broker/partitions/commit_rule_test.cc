#include "broker/partitions/commit_rule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing/async_test.h"
#include "broker/partitions/partition.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

// As a rule for several replicas will: another broker's end decides, too.
class RuleOfTwo final : public CommitRule {
 public:
  explicit RuleOfTwo(Offset& other) : other_(other) {}
  Offset committed_end(const LogEnds& ends) const override { return std::min(ends.end, other_); }
  bool waits_for_sync(const LogEnds&) const override { return false; }

 private:
  Offset& other_;
};

struct CommitRuleTest : testing::Test {
  CommitRuleTest() { cluster.start(); }
  void run(Task<void> task) { cluster.run_inside(std::move(task)); }
  Env& env() { return cluster.env(); }

  Task<void> append_one() {
    auto log = co_await open_log(env(), env().files(), cluster.arena(), "/other/t-0", LogOptions());
    CO_ASSERT_OK(log);
    partition =
        std::make_shared<Partition>(env(), "t", TopicId(), 0, std::move(*log), std::make_unique<RuleOfTwo>(other),
                                    LeadershipEpoch(0), std::make_shared<DiskState>());
    BatchBuilder builder;
    builder.add(1, "key", "value");
    BatchRun batch = builder.build_run(cluster.arena());
    auto appended = co_await partition->append(std::move(batch), AppendOrigin::kClient);
    CO_ASSERT_OK(appended);
  }

  TestCluster cluster{1};
  Offset other{0};
  PartitionPtr partition;
};

ASYNC_TEST_F(CommitRuleTest, ARecordIsAcknowledgedWhenTheRuleSaysSo) {
  co_await append_one();
  CO_ASSERT(partition);
  auto early = co_await partition->wait_committed(Offset(0), env().in(seconds(1)));
  EXPECT_ERROR(early, ErrorCode::kTimedOut);
  EXPECT_EQ(partition->ends().high_watermark, Offset(0));
  other = Offset(1);
  partition->changed();
  auto committed = co_await partition->wait_committed(Offset(0), env().in(seconds(1)));
  CO_ASSERT_OK(committed);
  EXPECT_EQ(partition->ends().high_watermark, Offset(1));
  auto closed = co_await partition->close();
  EXPECT_TRUE(closed);
}

Task<void> close_later(Env& env, Notifier& gone) {
  co_await env.sleep(seconds(60));
  gone.close();
}

// A client may ask to wait for years; its connection, and a stop of the broker, do not.
ASYNC_TEST_F(CommitRuleTest, AWaitEndsSoonAfterItsClientIsGone) {
  co_await append_one();
  CO_ASSERT(partition);
  Notifier gone(env());
  Gate gate(env());
  spawn(gate, "the client goes", close_later(env(), gone));
  const MonoTime begin = env().now();
  auto waited = co_await partition->wait_committed(Offset(0), Deadline::never(), &gone);
  EXPECT_ERROR(waited, ErrorCode::kTimedOut);
  EXPECT_EQ(env().now() - begin, seconds(60) + Partition::kGoneMax);
  co_await gate.close();
  auto closed = co_await partition->close();
  EXPECT_TRUE(closed);
}

TEST(OnlyReplicaRule, CommitsWhatIsWrittenOrWhatIsDurable) {
  LogEnds ends;
  ends.end = Offset(9);
  ends.flushed_end = Offset(4);
  auto page_cache = only_replica_rule(Durability::kPageCache), fsync = only_replica_rule(Durability::kFsync);
  EXPECT_EQ(page_cache->committed_end(ends), Offset(9));
  EXPECT_FALSE(page_cache->waits_for_sync(ends));
  EXPECT_EQ(fsync->committed_end(ends), Offset(4));
  EXPECT_TRUE(fsync->waits_for_sync(ends));
  ends.flushed_end = ends.end;
  EXPECT_FALSE(fsync->waits_for_sync(ends));
}

}  // namespace
}  // namespace farshore::broker
