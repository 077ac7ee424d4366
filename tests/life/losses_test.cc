// Records that were lost stay named: at each gateway, and after each restart.
#include "base/sim/disk.h"
#include "proto/link/keys.h"
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class LinkLosses : public LifeWorld {
 public:
  // The source deletes offsets [0, 100) before they are mirrored.
  void lose_records() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    create(kEast, "t");
    link();
    ASSERT_TRUE(until([&] { return state("t") == "ACTIVE"; }));
    ASSERT_TRUE(pause("t", true));
    produce(kEast, "t", 100);
    produce(kEast, "t", 5);
    delete_records(kEast, "t", 100);
    ASSERT_TRUE(pause("t", false));
    ASSERT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 105; }));
  }
  void expect_loss(const std::string& gateway = "gateway") {
    ASSERT_TRUE(until([&] { return mirror("t", gateway).losses_size() == 1; })) << gateway;
    const auto loss = mirror("t", gateway).losses(0);
    EXPECT_EQ(loss.kind(), "not-mirrored");
    EXPECT_EQ(loss.from_offset(), 0);
    EXPECT_EQ(loss.to_offset(), 100);
    EXPECT_GT(loss.wall_ms(), 0);
    EXPECT_EQ(mirror("t", gateway).lost_offsets_total(), 100);
    EXPECT_EQ(describe(gateway).losses_total(), 1);
    EXPECT_EQ(describe(gateway).lost_offsets_total(), 100);
  }
};

TEST_F(LinkLosses, GapIsNamedByEachGatewayAndAfterTheEnd) {
  lose_records();
  expect_loss();
  start_gateway();
  expect_loss();
  start_gateway("second");
  expect_loss("second");
  EXPECT_TRUE(failover("t", "second").done());
  start_gateway("second");
  expect_loss("second");
}

TEST_F(LinkLosses, DeletedTopicTakesItsReportsAlong) {
  lose_records();
  EXPECT_TRUE(failover("t").done());
  EXPECT_EQ(stored_keys(link_children_prefix(kLink)).size(), 2U) << "a report of the end, and one of what was lost";
  ASSERT_TRUE(update("topics", "others"));
  delete_topic(kWest, "t");
  start_gateway();
  EXPECT_TRUE(until([&] { return stored_keys(link_children_prefix(kLink)).empty(); }));
}

class SourceLostAll : public LifeWorld {
 public:
  // A power loss takes all records of the source: they were in the page cache only.
  void lose_all() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    create(kEast, "t");
    link();
    produce(kEast, "t", 100);
    ASSERT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 100; }));
    kill_broker(kEast);
    world().power_off(kEast, sim::PowerLoss::kDropAll);
    world().power_on(kEast);
  }
  void expect_kept() {
    ASSERT_TRUE(until([&] { return state("t") == "FAILED"; })) << mirror("t").DebugString();
    EXPECT_NE(mirror("t").state_reason().find("on.divergence=truncate-all"), std::string::npos)
        << mirror("t").state_reason();
    EXPECT_EQ(ends(kWest, "t"), (Ends{0, 100}));
    ASSERT_TRUE(until([&] { return mirror("t").losses_size() == 1; }));
    EXPECT_EQ(mirror("t").losses(0).kind(), "kept");
    EXPECT_EQ(mirror("t").losses(0).to_offset(), 100);
  }
};

TEST_F(SourceLostAll, MirrorKeepsItsRecordsUntilTheOperatorSaysSo) {
  lose_all();
  start_broker(kEast);
  ASSERT_EQ(ends(kEast, "t").end, 0);
  expect_kept();
  ASSERT_TRUE(update("on.divergence", "truncate-all"));
  ASSERT_TRUE(pause("t", false));
  produce(kEast, "t", 7);
  ASSERT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 7; })) << mirror("t").DebugString();
}

TEST_F(SourceLostAll, MirrorKeepsItsRecordsIfOthersWereWrittenAtTheSourceBeforeItIsRead) {
  lose_all();
  kill_gateway();
  start_broker(kEast);
  produce(kEast, "t", 150);
  start_gateway();
  expect_kept();
  EXPECT_TRUE(failover("t").done());
  EXPECT_EQ(ends(kWest, "t").start, 0);
  EXPECT_GE(ends(kWest, "t").end, 100);
}

}  // namespace
}  // namespace farshore::life
