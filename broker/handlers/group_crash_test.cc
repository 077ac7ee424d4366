// The broker is killed, or loses power, while a client uses the group APIs.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/sim/disk.h"
#include "broker/handlers/testing/group_client.h"
#include "proto/kafka/messages/describe_groups.h"

namespace farshore::broker {
namespace {

struct Progress {
  int64_t sent = 0, acknowledged = 0;
  int32_t generation = 0;  // whose assignment arrived
  std::string member_id;
  bool done = false;
};

Task<void> work(Env& env, Progress& progress) {
  Member member(env);
  auto connected = co_await member.client.connect(TestCluster::endpoint());
  if (!connected) co_return;
  auto topic = create_topic("t");
  auto created = co_await member.client.call(std::move(topic), 7);
  if (!created) co_return;
  for (int i = 0; i < 200; ++i) {
    auto wanted = find_request("g");
    auto found = co_await member.client.call(std::move(wanted), 6);
    if (!found) co_return;
    auto request = commit_request("g", ++progress.sent);
    auto committed = co_await member.client.call(std::move(request), 9);
    if (!committed) co_return;
    if (committed->topics[0].partitions[0].error_code == 0) progress.acknowledged = progress.sent;
    if (progress.acknowledged >= 4) break;
    if (progress.acknowledged == 0) co_await env.sleep(milliseconds(5));
  }
  for (int round = 0; round < 8; ++round) {
    auto request = join_request("h", member.member_id);
    auto joined = co_await member.client.call(std::move(request), 9);
    if (!joined) co_return;
    member.member_id = joined->member_id;
    if (joined->error_code != 0) continue;
    kafka::SyncGroupRequest sync;
    sync.group_id = "h";
    sync.member_id = member.member_id;
    sync.generation_id = joined->generation_id;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    auto& assignment = sync.assignments.emplace_back();
    assignment.member_id = member.member_id;
    assignment.assignment = bytes("work");
    auto synced = co_await member.client.call(std::move(sync), 5);
    if (!synced) co_return;
    if (synced->error_code == 0) {
      progress.generation = joined->generation_id;
      progress.member_id = member.member_id;
      break;
    }
  }
  progress.done = true;
}

Task<void> check(Env& env, const Progress& progress) {
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await find(client, env, "g");
  co_await find(client, env, "h");
  const int64_t there = co_await fetch_offset(client, "g");
  EXPECT_GE(std::max<int64_t>(there, 0), progress.acknowledged);
  EXPECT_LE(there, progress.sent);
  if (progress.generation == 0) co_return;
  kafka::DescribeGroupsRequest request;
  request.groups = {"h"};
  auto described = co_await client.call(std::move(request), 6);
  FARSHORE_CO_REQUIRE(described && described->groups.size() == 1);
  FARSHORE_CO_REQUIRE(described->groups[0].members.size() == 1);
  EXPECT_EQ(described->groups[0].members[0].member_id, progress.member_id);
  EXPECT_EQ(described->groups[0].members[0].member_assignment, bytes("work"));
}

class GroupCrash : public ::testing::TestWithParam<bool> {};

// A power loss drops everything that was not synced, or a SIGKILL leaves the page cache: at every so many resumptions.
TEST_P(GroupCrash, AcknowledgedCommitsAndAssignmentsSurviveAKill) {
  const bool power_loss = GetParam();
  int crashes = 0;
  for (uint64_t n = 1; n < 5000; n += 1 + n / 16) {
    SCOPED_TRACE("seed and resumption " + std::to_string(n));
    Progress progress;  // the work and the crash write here until the cluster is gone
    bool crashed = false;
    TestCluster cluster(n);
    cluster.set("log.reserve.bytes", "0");
    cluster.set("offsets.topic.num.partitions", "2");
    cluster.set("group.initial.rebalance.delay.ms", "1");
    cluster.set("durability", power_loss ? "fsync" : "page-cache");
    cluster.start();
    cluster.env().at_resumption(n, [&] {
      crashed = true;
      if (power_loss)
        cluster.world().power_off("east-1", sim::PowerLoss::kDropAll);
      else
        cluster.world().kill(cluster.env());
    });
    cluster.world().spawn(cluster.client_env(), work(cluster.client(), progress));
    cluster.world().run_until([&] { return crashed || progress.done; }, TestCluster::kLimit);
    if (!crashed) {
      EXPECT_TRUE(progress.done);
      EXPECT_EQ(progress.acknowledged, 4);
      EXPECT_EQ(progress.generation, 1);
      break;
    }
    ++crashes;
    cluster.world().run_for(milliseconds(1));
    cluster.forget();
    if (power_loss) cluster.world().power_on("east-1");
    cluster.start();
    cluster.run(check(cluster.client(), progress));
    if (HasFailure()) break;
  }
  EXPECT_GT(crashes, 20);
}

INSTANTIATE_TEST_SUITE_P(Disk, GroupCrash, ::testing::Values(false, true), [](const auto& info) {
  return info.param ? std::string("PowerLossWithFsync") : std::string("Kill");
});

}  // namespace
}  // namespace farshore::broker
