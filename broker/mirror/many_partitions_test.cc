// One request about many partitions: what has to wait for the disk is waited for once, not once for each partition.
#include <gtest/gtest.h>

#include "broker/mirror/testing/raw_gateway.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

// Opens a session of each of the first `partitions`, and appends one batch to each in a single request. `took`: the
// time from the request to its answer.
Task<void> append_to_many(LinkWorld& world, int32_t partitions, int32_t epoch, Duration& took) {
  kafka::MirrorAppendRequest request;
  request.link_id = LinkWorld::kLink.value();
  request.link_epoch = 1;
  request.timeout_ms = 10000;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = world.mirror_id();
  const auto batch = source_batch(0, 1, epoch);
  RawGateway gateway(world);
  FARSHORE_CO_REQUIRE(co_await gateway.ready());
  for (int32_t p = 0; p < partitions; ++p) {
    gateway.partition_index = p;
    EXPECT_EQ(co_await gateway.open(), 0);
    auto& partition = topic.partitions.emplace_back();
    partition.partition = p;
    partition.pump_session = gateway.session;
    partition.expected_end_offset = 0;
    partition.previous_epoch = -1;
    partition.source_log_start = 0;
    partition.records = kafka::Records::view(batch);
  }
  const MonoTime sent = world.client().now();
  auto response = co_await gateway.call(std::move(request), 0);
  took = world.client().now() - sent;
  FARSHORE_CO_REQUIRE(response && response->topics.size() == 1);
  for (const auto& partition : response->topics[0].partitions) EXPECT_CODE(partition, Code::kNone);
}

Duration time_of_append(int32_t partitions) {
  LinkWorld world(1);
  world.settings["durability"] = "fsync";
  world.start_broker("east-1");
  world.start_broker("west-1");
  world.make_topics();
  world.world().disk("west-1").set_slow(milliseconds(20), milliseconds(20));
  Duration took{};
  world.run(append_to_many(world, partitions, 0, took));
  world.world().disk("west-1").set_normal();
  return took;
}

TEST(ManyPartitions, SyncsOfOneRequestAreWaitedForSideBySide) {
  const Duration one = time_of_append(1), all = time_of_append(LinkWorld::kPartitions);
  ASSERT_GT(one, milliseconds(20));
  EXPECT_LT(all, one + one / 2) << one.count() << " ns for one partition, " << all.count() << " for all";
}

TEST(ManyPartitions, LeadershipIsRaisedForThoseThatWaitInOneTransaction) {
  LinkWorld world(1);
  world.start_broker("east-1");
  world.start_broker("west-1");
  world.make_topics();
  const auto before = world.broker("west-1").image()->revision;
  Duration took{};
  world.run(append_to_many(world, LinkWorld::kPartitions, 9, took));
  const auto after = world.broker("west-1").image();
  EXPECT_LE(after->revision - before, 2);  // the first one alone, then all that came meanwhile
  for (const auto& partition : after->topic("orders")->partitions) EXPECT_GE(partition.leadership_epoch.value(), 9);
}

}  // namespace
}  // namespace farshore::broker
