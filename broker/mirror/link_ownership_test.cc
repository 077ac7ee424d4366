// Whose mirror is it: a gateway that was replaced makes nothing, and mirrors of a deleted link find a new one.
#include <gtest/gtest.h>

#include "broker/mirror/testing/raw_gateway.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/link/keys.h"
#include "proto/link/link_metastore.h"
#include "proto/link/stored_link.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

class LinkOwnership : public MirrorApi {};

kafka::Bytes wire_bytes(std::string_view text) {
  ConstBytes view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

// Stores the link at the target, or (epoch 0) deletes it.
Task<void> store_link(LinkWorld& world, std::string name, LinkId id, int64_t epoch) {
  TestClient client(world.client());
  FARSHORE_CO_REQUIRE(co_await client.connect(LinkWorld::endpoint("west-1")));
  StoredLink link;
  link.spec.name = name;
  link.spec.source = link.spec.target = {LinkWorld::endpoint("east-1")};
  link.id = id;
  link.epoch = LinkEpoch(epoch);
  kafka::LinkStateRequest request;
  request.timeout_ms = 10000;
  request.op = wire_value(LinkMetastoreOperation::kTxn);
  auto& change = request.changes.emplace_back();
  change.key = wire_bytes(link_key(name));
  if (epoch > 0) change.value = wire_bytes(encode(link));
  auto stored = co_await client.call(std::move(request), 0);
  EXPECT_TRUE(stored && stored->succeeded);
}

kafka::MirrorControlRequest create_request(LinkWorld& world, RawGateway& gateway, std::string name) {
  auto request = gateway.control_request(MirrorOperation::kCreateTopic);
  auto& topic = request.topics[0];
  topic.topic_id = {};
  topic.partitions.clear();
  topic.name = std::move(name);
  topic.source_cluster_id = world.broker("east-1").image()->cluster_id;
  topic.source_topic = "orders";
  topic.source_topic_id = world.source_id();
  topic.num_partitions = LinkWorld::kPartitions;
  return request;
}

Task<void> replaced_gateway(LinkWorld& world) {
  co_await store_link(world, "l", LinkWorld::kLink, 5);
  RawGateway old(world, 4);
  FARSHORE_CO_REQUIRE(co_await old.ready());
  auto request = create_request(world, old, "new-one");
  auto made = co_await old.control(std::move(request));
  EXPECT_CODE(made, Code::kProducerFenced);
  EXPECT_EQ(co_await old.open(), wire_code(Code::kProducerFenced));
  request = old.control_request(MirrorOperation::kFailover);
  auto ended = co_await old.control(std::move(request));
  EXPECT_CODE(ended, Code::kProducerFenced);
  RawGateway newer(world, 5);
  FARSHORE_CO_REQUIRE(co_await newer.ready());
  request = create_request(world, newer, "new-one");
  made = co_await newer.control(std::move(request));
  EXPECT_CODE(made, Code::kNone);
}
TEST_F(LinkOwnership, GatewayThatWasReplacedMakesAndEndsNothing) { world.run(replaced_gateway(world)); }

Task<void> orphan(LinkWorld& world) {
  co_await store_link(world, "l", LinkWorld::kLink, 1);
  RawGateway first(world);
  FARSHORE_CO_REQUIRE(co_await first.ready());
  EXPECT_EQ(co_await first.open(), 0);
  auto appended = co_await first.append(source_batch(0, 5, 3), 0, -1);
  EXPECT_CODE(appended, Code::kNone);

  RawGateway second(world);
  second.link = LinkId{{8}};
  FARSHORE_CO_REQUIRE(co_await second.ready());
  auto request = create_request(world, second, "orders");
  auto owned = co_await second.control(std::move(request));
  EXPECT_CODE(owned, Code::kPolicyViolation);

  co_await store_link(world, "l", LinkWorld::kLink, 0);  // deleted, with --force
  request = create_request(world, second, "orders");
  request.topics[0].source_topic_id = TopicId{{5}};
  auto other = co_await second.control(std::move(request));
  EXPECT_CODE(other, Code::kInconsistentTopicId);
  request = create_request(world, second, "orders");
  auto adopted = co_await second.control(std::move(request));
  EXPECT_CODE(adopted, Code::kNone);
  EXPECT_EQ(adopted.topic_id, world.mirror_id());

  auto late = co_await first.append(source_batch(5, 1, 3), 5, 3);
  EXPECT_CODE(late, Code::kPolicyViolation);
  EXPECT_EQ(co_await second.open(), 0);
  auto next = co_await second.append(source_batch(5, 1, 3), 5, 3);
  EXPECT_CODE(next, Code::kNone);
}
TEST_F(LinkOwnership, MirrorOfADeletedLinkIsAdoptedByALinkOfTheSameSource) { world.run(orphan(world)); }

}  // namespace
}  // namespace farshore::broker
