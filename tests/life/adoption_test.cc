// Topics that are at the target before their mirror: clients had them created, or left them behind.
#include "tests/life/testing/life_world.h"

namespace farshore::life {
namespace {

class AdoptionLife : public LifeWorld {
 public:
  void start() {
    start_broker(kEast);
    start_broker(kWest);
    start_gateway();
  }
};

TEST_F(AdoptionLife, EmptyTopicThatAClientCreatedBecomesTheMirror) {
  start();
  create(kEast, "t", 2, {{"retention.ms", "12345678"}});
  produce(kEast, "t", 50);
  create(kWest, "t", 2);  // as a consumer that subscribed too early has it created
  link();
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t") == ends(kEast, "t"); }))
      << mirror("t").DebugString();
  EXPECT_FALSE(can_produce(kWest, "t"));
  EXPECT_TRUE(until([&] { return config(kWest, "t", "retention.ms") == "12345678"; }));
  for (const auto& row : verify("t")) EXPECT_EQ(row.error(), "");
  EXPECT_EQ(failover("t").error(), "");
  EXPECT_TRUE(can_produce(kWest, "t"));
}

TEST_F(AdoptionLife, EmptyTopicOfABrokerThatWasRestartedOftenBecomesTheMirror) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 50);
  create(kWest, "t");
  for (int i = 0; i < 5; ++i) {  // its own lineage has a higher epoch than the source's
    kill_broker(kWest);
    start_broker(kWest);
  }
  start_gateway();
  link();
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 50; })) << mirror("t").DebugString();
  kill_broker(kWest);
  start_broker(kWest);
  produce(kEast, "t", 5);
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 55; })) << mirror("t").DebugString();
}

TEST_F(AdoptionLife, EmptyTopicWithFewerPartitionsGrows) {
  start();
  create(kEast, "t", 3);
  produce(kEast, "t", 50);
  create(kWest, "t", 1);
  link();
  EXPECT_TRUE(until([&] { return mirrored("t") && mirror("t").partitions_size() == 3; })) << mirror("t").DebugString();
}

TEST_F(AdoptionLife, TopicThatWasWrittenToOrHasTooManyPartitionsIsRefusedWithTheWayOut) {
  start();
  for (const char* topic : {"written", "wide", "emptied"}) {
    create(kEast, topic);
    produce(kEast, topic, 5);
    create(kWest, topic, topic == std::string("wide") ? 2 : 1);
  }
  produce(kWest, "written", 1);
  produce(kWest, "emptied", 1);
  delete_records(kWest, "emptied", 1);
  link();
  for (const char* topic : {"written", "wide", "emptied"}) {
    ASSERT_TRUE(until([&] { return state(topic) == "FAILED"; })) << topic;
    EXPECT_NE(mirror(topic).state_reason().find("delete it at the target and give `farshore mirror resume`"),
              std::string::npos)
        << mirror(topic).state_reason();
    EXPECT_TRUE(can_produce(kWest, topic)) << "clients go on as before";
    delete_topic(kWest, topic);
    EXPECT_TRUE(pause(topic, false));
    EXPECT_TRUE(until([&] { return mirrored(topic) && ends(kWest, topic).end == 5; }));
  }
}

TEST_F(AdoptionLife, RecordThatAClientWritesMeanwhileIsNeitherLostNorMirroredOver) {
  start();
  for (int i = 0; i < 12; ++i) {
    const std::string topic = "t" + std::to_string(i);
    create(kEast, topic);
    produce(kEast, topic, 5);
    create(kWest, topic);
  }
  link();
  // Each write meets its topic at another moment of the adoption.
  std::map<std::string, bool> written;
  for (int i = 0; i < 12; ++i) {
    const std::string topic = "t" + std::to_string(i);
    written[topic] = can_produce(kWest, topic);
  }
  for (const auto& [topic, acknowledged] : written) {
    if (acknowledged) {
      EXPECT_TRUE(until([&] { return state(topic) == "FAILED"; })) << topic;
      EXPECT_EQ(ends(kWest, topic).end, 1);
    } else {
      EXPECT_TRUE(until([&] { return mirrored(topic) && ends(kWest, topic).end == 5; })) << topic;
    }
  }
}

TEST_F(AdoptionLife, EndedTopicThatIsDeletedAtTheTargetIsMirroredAnewAlsoWithoutARestart) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 20);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  ASSERT_EQ(failover("t").error(), "");
  produce(kWest, "t", 3);
  world().run_for(seconds(10));
  EXPECT_EQ(state("t"), "STOPPED");
  delete_topic(kWest, "t");
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 20; })) << mirror("t").DebugString();
  EXPECT_FALSE(mirror("t").has_promotion());
  ASSERT_EQ(failover("t").error(), "") << "and it can be ended again";
  EXPECT_EQ(state("t"), "STOPPED");
}

TEST_F(AdoptionLife, EndedTopicThatIsDeletedAfterARestartIsMirroredAnewToo) {
  start();
  create(kEast, "t");
  produce(kEast, "t", 20);
  link();
  ASSERT_TRUE(until([&] { return mirrored("t"); }));
  ASSERT_EQ(failover("t").error(), "");
  start_gateway();
  ASSERT_TRUE(until([&] { return state("t") == "STOPPED"; }));
  delete_topic(kWest, "t");
  EXPECT_TRUE(until([&] { return mirrored("t") && ends(kWest, "t").end == 20; })) << mirror("t").DebugString();
}

}  // namespace
}  // namespace farshore::life
