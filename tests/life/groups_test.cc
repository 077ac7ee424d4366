// Consumer groups that come and go, and gateways that come and go.
#include "base/sim/disk.h"
#include "proto/link/keys.h"
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class LinkGroups : public LifeWorld {
 public:
  void start() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    create(kEast, "t");
    produce(kEast, "t", 100);
    link();
    ASSERT_TRUE(until([&] { return mirrored("t"); }));
  }
};

TEST_F(LinkGroups, CommitsOfAGroupThatWasDeletedLeaveTheTarget) {
  start();
  for (const char* group : {"deleted", "kept", "taken"}) commit(kEast, group, "t", 80);
  ASSERT_TRUE(until([&] {
    return committed(kWest, "deleted", "t") == 80 && committed(kWest, "kept", "t") == 80 &&
           committed(kWest, "taken", "t") == 80;
  }));
  commit(kWest, "taken", "t", 90);  // by a consumer of the target
  delete_group(kEast, "deleted");
  delete_group(kEast, "taken");
  EXPECT_TRUE(until([&] { return committed(kWest, "deleted", "t") == -1; }));
  EXPECT_TRUE(until([&] { return stored_keys(link_children_prefix(kLink)).size() == 1; }))
      << "what the link remembers of groups that are gone goes, too";
  EXPECT_EQ(committed(kWest, "kept", "t"), 80);
  EXPECT_EQ(committed(kWest, "taken", "t"), 90);
}

TEST_F(LinkGroups, GroupDeletedWhileNoGatewayRanLeavesTheTargetToo) {
  start();
  commit(kEast, "deleted", "t", 80);
  ASSERT_TRUE(until([&] { return committed(kWest, "deleted", "t") == 80; }));
  kill_gateway();
  delete_group(kEast, "deleted");
  start_gateway();
  EXPECT_TRUE(until([&] { return committed(kWest, "deleted", "t") == -1; }));
}

TEST_F(LinkGroups, GroupThatIsNotSelectedAnyMoreKeepsItsCommitUntilTheSourceDeletesIt) {
  start();
  commit(kEast, "readers", "t", 80);
  ASSERT_TRUE(until([&] { return committed(kWest, "readers", "t") == 80; }));
  auto narrowed = update("groups", "others");
  ASSERT_TRUE(narrowed) << narrowed.error().to_string();
  ASSERT_EQ(narrowed->notes_size(), 1);
  EXPECT_NE(narrowed->notes(0).find("readers"), std::string::npos) << narrowed->notes(0);
  commit(kEast, "readers", "t", 90);
  EXPECT_TRUE(until([&] { return group_state("readers") == "NOT_SELECTED"; }));
  start_gateway();
  EXPECT_TRUE(until([&] { return group_state("readers") == "NOT_SELECTED"; })) << "a restart says the same";
  EXPECT_EQ(committed(kWest, "readers", "t"), 80);
  delete_group(kEast, "readers");
  EXPECT_TRUE(until([&] { return committed(kWest, "readers", "t") == -1; }, seconds(120)));
  EXPECT_TRUE(until([&] { return stored_keys(link_children_prefix(kLink)).empty(); }, seconds(120)));
  EXPECT_TRUE(until([&] { return group_state("readers").empty(); }));
}

TEST_F(LinkGroups, GroupOfALinkWithoutGroupSyncKeepsItsCommitAndSaysSo) {
  start();
  for (const char* group : {"readers", "taken"}) commit(kEast, group, "t", 80);
  ASSERT_TRUE(until([&] { return committed(kWest, "readers", "t") == 80 && committed(kWest, "taken", "t") == 80; }));
  ASSERT_TRUE(update("group.sync.enable", "false"));
  commit(kWest, "taken", "t", 95);  // by a consumer of the target
  start_gateway();
  EXPECT_TRUE(until([&] { return group_state("readers") == "NOT_SELECTED"; }, seconds(120)));
  EXPECT_TRUE(until([&] { return stored_keys(link_children_prefix(kLink)).size() == 1; }, seconds(120)))
      << "what a consumer of the target has taken over is remembered no more";
  EXPECT_EQ(committed(kWest, "taken", "t"), 95);
  ASSERT_TRUE(update("group.sync.enable", "true"));
  commit(kEast, "readers", "t", 90);
  EXPECT_TRUE(until([&] { return committed(kWest, "readers", "t") == 90; }, seconds(120)));
}

TEST_F(LinkGroups, CommitsStayWhileTheSourceDoesNotAnswer) {
  start();
  commit(kEast, "readers", "t", 80);
  ASSERT_TRUE(until([&] { return committed(kWest, "readers", "t") == 80; }));
  kill_broker(kEast);
  start_gateway();
  world().run_for(seconds(60));
  EXPECT_EQ(committed(kWest, "readers", "t"), 80);
}

TEST_F(LinkGroups, GatewayStartsBesideTwelveThousandStoredGroups) {
  start();
  kill_gateway();
  for (int transaction = 0; transaction < 120; ++transaction) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (int n = 0; n < 100; ++n)
      entries.emplace_back(group_memory_key("A-deleted-link", std::to_string(transaction * 100 + n)), "{}");
    store(entries);
  }
  start_gateway();
  produce(kEast, "t", 10);
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 110; }));
}

TEST_F(LinkGroups, EntriesOfALinkWhoseGatewayDiedWhileItDeletedItAreForgotten) {
  start_broker(kEast);
  start_broker(kWest);
  store({{"link/gone/group/g", "x"}, {"link/gone/loss/t", "y"}});
  start_gateway();
  link();
  for (int i = 0; i < 30 && !stored_keys("link/gone/").empty(); ++i) world().run_for(seconds(1));
  EXPECT_EQ(stored_keys("link/gone/"), std::vector<std::string>());
  EXPECT_FALSE(stored_keys("link/L").empty());
}

TEST_F(LinkGroups, FencedGatewayStopsAtOnceAndSaysSo) {
  start();
  start_gateway("second");
  ASSERT_TRUE(until([&] { return mirror("t", "second").state() == "ACTIVE"; }));
  EXPECT_TRUE(until([&] { return describe().state() == "FAILED"; }, seconds(5)));
  EXPECT_NE(describe().state_reason().find("another gateway"), std::string::npos);
  EXPECT_TRUE(until([&] { return state("t") == "FAILED"; }, seconds(5)));
  EXPECT_TRUE(update("topics", "t", "second"));
  create(kEast, "unwanted");
  produce(kEast, "t", 5);
  world().run_for(seconds(30));
  EXPECT_EQ(ends(kWest, "unwanted").end, -1);
  EXPECT_EQ(ends(kWest, "t").end, 105) << "the second gateway mirrors";
  auto refused = update("topics", "*");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFenced) << refused.error().to_string();
  EXPECT_NE(failover("t").error().find("another gateway"), std::string::npos);
  EXPECT_EQ(mirror("t", "second").state(), "ACTIVE");
}

TEST_F(LinkGroups, PromoteEndsThoughTheCoordinatorOfSomeGroupsIsGoneAndNamesThem) {
  start_broker(kEast, {{"offsets.topic.num.partitions", "5"}});
  start_broker(kWest);
  start_gateway();
  create(kEast, "t");
  produce(kEast, "t", 100);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  for (const char* group : {"a", "b"}) commit(kEast, group, "t", 80);  // in the partitions 97 % 5 and 98 % 5
  ASSERT_TRUE(until([&] { return committed(kWest, "a", "t") == 80 && committed(kWest, "b", "t") == 80; }));
  commit(kEast, "a", "t", 90);
  kill_broker(kEast);
  world().disk(kEast).put_contents("/data/__consumer_offsets-3/partition.metadata", "version: 0\ntopic_id: damaged\n");
  start_broker(kEast, {{"offsets.topic.num.partitions", "5"}});
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  const auto ended = promote("t");
  EXPECT_EQ(ended.error(), "");
  EXPECT_TRUE(ended.done());
  EXPECT_NE(ended.step().find("1 group was not carried over and may read records again at the target (b)"),
            std::string::npos)
      << ended.step();
  EXPECT_EQ(state("t"), "STOPPED");
  EXPECT_EQ(committed(kWest, "a", "t"), 90);
}

}  // namespace
}  // namespace farshore::life
