// Failover of mirrors whose link was deleted: `farshore mirror failover` without --link.
#include "base/sim/disk.h"
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class OrphanLife : public LifeWorld {
 public:
  void start(const std::vector<std::string>& topics, int32_t partitions = 1) {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
    for (const auto& topic : topics) {
      create(kEast, topic, partitions);
      produce(kEast, topic, 20);
    }
    link();
    for (const auto& topic : topics) ASSERT_TRUE(until([&] { return mirrored(topic); }));
  }
  void delete_the_link(const std::string& gateway = "gateway") {
    auto deleted = delete_link(false, true, gateway);
    ASSERT_TRUE(deleted) << deleted.error().to_string();
  }
  bool writable(const std::string& topic) { return can_produce(kWest, topic); }
  static std::map<std::string, api::VerbProgress> by_topic(const Answer& answer) {
    std::map<std::string, api::VerbProgress> found;
    for (const auto& message : answer.messages) found[message.topic()] = message;
    return found;
  }
};

TEST_F(OrphanLife, MirrorsOfADeletedLinkAreMadeWritableTogether) {
  start({"a", "b", "c"});
  ASSERT_TRUE(failover("a").error().empty());
  delete_the_link();
  EXPECT_FALSE(writable("b"));
  const Answer answer = failover_without_link({});
  ASSERT_TRUE(answer.status) << answer.status.error().to_string();
  auto ended = by_topic(answer);
  ASSERT_EQ(ended.size(), 2U) << "a has ended before";
  for (const char* topic : {"b", "c"}) {
    EXPECT_EQ(ended[topic].error(), "");
    EXPECT_TRUE(ended[topic].done());
    EXPECT_EQ(ended[topic].step(), "the mirror has ended; the topic is writable");
    ASSERT_EQ(ended[topic].mirror().promotion().partitions_size(), 1);
    EXPECT_EQ(ended[topic].mirror().promotion().partitions(0).failover_offset(), 20);
    EXPECT_TRUE(writable(topic));
  }
}

TEST_F(OrphanLife, TopicsAreEndedSideBySide) {
  std::vector<std::string> topics;
  for (int i = 0; i < 20; ++i) topics.push_back("t" + std::to_string(i));
  start(topics);
  delete_the_link();
  for (bool back : {false, true}) {
    sim::LinkProfile far;
    far.delay_min = far.delay_max = milliseconds(100);
    world().net().set_profile(back ? kWest : "gateway", back ? "gateway" : kWest, far);
  }
  const Answer answer = failover_without_link(topics);
  ASSERT_TRUE(answer.status) << answer.status.error().to_string();
  EXPECT_EQ(by_topic(answer).size(), topics.size());
  for (const auto& message : answer.messages) EXPECT_EQ(message.error(), "") << message.topic();
  EXPECT_LT(answer.took, seconds(6)) << "each topic needs three round trips of 200 ms";
}

TEST_F(OrphanLife, DryRunChangesNothingAndTellsTheSameEnds) {
  start({"a", "b"});
  delete_the_link();
  const Answer planned = failover_without_link({}, true);
  ASSERT_TRUE(planned.status) << planned.status.error().to_string();
  auto would = by_topic(planned);
  ASSERT_EQ(would.size(), 2U);
  EXPECT_EQ(would["a"].step(), "would end the mirror now; its link was deleted");
  EXPECT_EQ(would["a"].mirror().promotion().partitions(0).failover_offset(), 20);
  EXPECT_FALSE(writable("a"));
  const Answer ended = failover_without_link({});
  EXPECT_EQ(by_topic(ended).size(), 2U) << "the dry run has ended some of them";
}

TEST_F(OrphanLife, SecondFailoverKeepsTheRecordOfTheFirst) {
  start({"t"});
  delete_the_link();
  const Answer first = failover_without_link({"t"});
  ASSERT_EQ(first.messages.size(), 1U);
  ASSERT_EQ(first.messages[0].error(), "");
  produce(kWest, "t", 5);
  const Answer second = failover_without_link({"t"});
  ASSERT_EQ(second.messages.size(), 1U);
  EXPECT_EQ(second.messages[0].step(), "was ended before");
  EXPECT_EQ(second.messages[0].mirror().promotion().partitions(0).failover_offset(), 20);
  const Answer all = failover_without_link({});
  EXPECT_FALSE(all.status);
  EXPECT_NE(all.status.error().detail.find("1 have ended before"), std::string::npos) << all.status.error().to_string();
}

TEST_F(OrphanLife, ReportOfAnEndIsToldAlsoAfterItsLinkWasDeleted) {
  start({"t"});
  EXPECT_TRUE(pause("t", true));
  world().run_for(seconds(1));
  produce(kEast, "t", 7);
  EXPECT_TRUE(pause("t", false));
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  world().net().partition(kEast, "gateway");
  world().run_for(seconds(5));
  const auto before = failover("t");
  ASSERT_EQ(before.error(), "");
  world().net().heal();
  const auto& ended = before.mirror().promotion().partitions(0);
  EXPECT_GE(ended.blind_window_ms(), 4000);
  delete_the_link();
  const Answer answer = failover_without_link({"t"});
  ASSERT_EQ(answer.messages.size(), 1U);
  EXPECT_EQ(answer.messages[0].mirror().promotion().partitions(0).DebugString(), ended.DebugString());
}

TEST_F(OrphanLife, OfflinePartitionIsNamedAndHoldsUpNoOtherTopic) {
  start({"whole", "torn"}, 2);
  delete_the_link();
  kill_broker(kWest);
  sim::SimDisk& disk = world().disk(kWest);
  const std::string path = "/data/torn-1/partition.metadata";
  const std::string good = disk.contents(path).value_or("");
  disk.put_contents(path, "version: 0\ntopic_id: damaged\n");
  start_broker(kWest);
  const Answer answer = failover_without_link({});
  auto ended = by_topic(answer);
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended["whole"].step(), "the mirror has ended; the topic is writable");
  EXPECT_EQ(ended["torn"].error(), "");
  EXPECT_NE(ended["torn"].step().find("except partitions that are offline at the target (1)"), std::string::npos)
      << ended["torn"].step();
  EXPECT_TRUE(writable("torn")) << "its partition 0";
  kill_broker(kWest);
  disk.put_contents(path, good);
  start_broker(kWest);
  EXPECT_TRUE(until([&] {
    const Answer again = failover_without_link({"torn"});
    return again.messages.at(0).mirror().promotion().partitions(1).state().empty();
  }));
}

TEST_F(OrphanLife, MirrorsOfALinkThatAnotherGatewayHasMadeAreLeftAlone) {
  start_broker(kEast);
  start_broker(kWest);
  start_gateway("old");
  start_gateway("gateway");
  create(kEast, "t");
  produce(kEast, "t", 20);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  const Answer all = failover_without_link({}, false, "old");
  EXPECT_FALSE(all.status) << "the older gateway does not know the link";
  const Answer one = failover_without_link({"t"}, false, "old");
  ASSERT_EQ(one.messages.size(), 1U);
  EXPECT_NE(one.messages[0].error().find("give --link L"), std::string::npos) << one.messages[0].error();
  produce(kEast, "t", 5);
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 25; }));
}

TEST_F(OrphanLife, TopicThatIsNoMirrorIsRefusedAndTheOthersEnd) {
  start({"t"});
  delete_the_link();
  create(kWest, "own");
  auto answer = by_topic(failover_without_link({"own", "t", "missing"}));
  ASSERT_EQ(answer.size(), 3U);
  EXPECT_NE(answer["own"].error().find("is no mirror"), std::string::npos) << answer["own"].error();
  EXPECT_NE(answer["missing"].error(), "");
  EXPECT_EQ(answer["t"].error(), "");
  EXPECT_TRUE(writable("t"));
}

}  // namespace
}  // namespace farshore::life
