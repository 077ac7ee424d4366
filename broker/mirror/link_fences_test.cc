// A gateway that has lost its link writes nothing anywhere: one test for each kind of write.
#include "broker/mirror/link_fences.h"

#include <gtest/gtest.h>

#include <functional>

#include "broker/mirror/testing/raw_gateway.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/offset_delete.h"
#include "proto/link/keys.h"
#include "proto/link/link_metastore.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr int16_t kFencedCode = static_cast<int16_t>(Code::kProducerFenced);

kafka::Bytes fence_bytes(std::string_view text) {
  ConstBytes view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

class LinkFencesTest : public MirrorApi {
 public:
  LinkFencesTest() { world.run(store(5)); }

  // Another gateway stores the link with this epoch (0: deletes it). Returns the error code, -100 if there is no
  // answer.
  Task<int16_t> try_store(int64_t epoch, int32_t timeout_ms = 10000) {
    TestClient client(world.client());
    auto connected = co_await client.connect(LinkWorld::endpoint("west-1"));
    if (!connected) co_return -100;
    StoredLink link;
    link.spec.name = "l";
    link.spec.source = link.spec.target = {LinkWorld::endpoint("east-1")};
    link.id = LinkWorld::kLink;
    link.epoch = LinkEpoch(epoch);
    kafka::LinkStateRequest request;
    request.timeout_ms = timeout_ms;
    request.op = wire_value(LinkMetastoreOperation::kTxn);
    auto& change = request.changes.emplace_back();
    change.key = fence_bytes(link_key("l"));
    if (epoch > 0) change.value = fence_bytes(encode(link));
    auto stored = co_await client.call(std::move(request), 0);
    co_return stored ? stored->error_code : static_cast<int16_t>(-100);
  }
  Task<void> store(int64_t epoch) {
    const int16_t code = co_await try_store(epoch);
    EXPECT_EQ(code, 0);
  }
  LinkFences& fences() { return world.broker("west-1").services().link_fences; }
  Revision revision() { return world.broker("west-1").image()->revision; }
  Offset mirror_end() { return world.partition("west-1", 0)->ends().end; }
};

// What a gateway writes at its target, one method for each kind. All answer the error code.
struct WritingGateway : RawGateway {
  WritingGateway(LinkWorld& w, int64_t epoch) : RawGateway(w, epoch) {
    client_id = client_id_of({link, LinkEpoch(epoch)});
  }

  Task<int16_t> one(MirrorOperation operation) {
    auto request = control_request(operation);
    request.topics[0].partitions[0].offset = 0;
    request.topics[0].partitions[0].end_offset = 0;
    auto result = co_await control(std::move(request));
    if (result.error_code == 0 && !result.partitions.empty()) co_return result.partitions[0].error_code;
    co_return result.error_code;
  }
  Task<int16_t> make(std::string name, int32_t partitions) {
    auto request = control_request(MirrorOperation::kCreateTopic);
    auto& topic = request.topics[0];
    topic.topic_id = {};
    topic.partitions.clear();
    topic.name = std::move(name);
    topic.source_cluster_id = world.broker("east-1").image()->cluster_id;
    topic.source_topic = "orders";
    topic.source_topic_id = world.source_id();
    topic.num_partitions = partitions;
    auto result = co_await control(std::move(request));
    co_return result.error_code;
  }
  Task<int16_t> append_batch() {
    auto batch = source_batch(0, 5, 3);
    auto result = co_await append(std::move(batch), 0, -1);
    co_return result.error_code;
  }
  Task<int16_t> alter_config() {
    kafka::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = "orders";
    auto& config = resource.configs.emplace_back();
    config.name = "retention.ms";
    config.value = "1000";
    auto response = co_await call(std::move(request), 1);
    co_return response && response->responses.size() == 1 ? response->responses[0].error_code
                                                          : static_cast<int16_t>(-100);
  }
  Task<int16_t> commit() {
    kafka::OffsetCommitRequest request;
    request.group_id = "g";
    request.generation_id_or_member_epoch = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    topic.partitions.emplace_back().committed_offset = 0;
    auto response = co_await call(std::move(request), 9);
    co_return response && response->topics.size() == 1 ? response->topics[0].partitions[0].error_code
                                                       : static_cast<int16_t>(-100);
  }
  Task<int16_t> delete_commit() {
    kafka::OffsetDeleteRequest request;
    request.group_id = "g";
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    topic.partitions.emplace_back();
    auto response = co_await call(std::move(request), 0);
    co_return response ? response->error_code : static_cast<int16_t>(-100);
  }
  Task<int16_t> put_entry(std::string value) {
    kafka::LinkStateRequest request;
    request.timeout_ms = 10000;
    request.op = wire_value(LinkMetastoreOperation::kTxn);
    auto& change = request.changes.emplace_back();
    change.key = fence_bytes(group_memory_key("l", "g"));
    if (!value.empty()) change.value = fence_bytes(value);
    auto response = co_await call(std::move(request), 0);
    co_return response ? response->error_code : static_cast<int16_t>(-100);
  }
  // The coordinator of the group serves.
  Task<void> find_coordinator() {
    for (int i = 0; i < 200; ++i) {
      kafka::FindCoordinatorRequest request;
      request.coordinator_keys = {"g"};
      auto found = co_await call(std::move(request), 6);
      FARSHORE_CO_REQUIRE(found && found->coordinators.size() == 1);
      const int16_t code = co_await commit();
      if (code == 0) co_return;
      co_await world.client().sleep(milliseconds(50));
    }
    ADD_FAILURE() << "the coordinator does not come";
  }
};

using Write = std::function<Task<int16_t>(WritingGateway&)>;
struct KindOfWrite {
  const char* name;
  Write write;
};

std::vector<KindOfWrite> kinds_of_writes() {
  using enum MirrorOperation;
  return {{"commit of a group", [](WritingGateway& g) { return g.commit(); }},
          {"deletion of a commit", [](WritingGateway& g) { return g.delete_commit(); }},
          {"topic config", [](WritingGateway& g) { return g.alter_config(); }},
          {"entry of the metastore", [](WritingGateway& g) { return g.put_entry("value"); }},
          {"deletion of an entry", [](WritingGateway& g) { return g.put_entry(""); }},
          {"new topic", [](WritingGateway& g) { return g.make("new-one", 1); }},
          {"more partitions", [](WritingGateway& g) { return g.make("orders", LinkWorld::kPartitions + 1); }},
          {"session", [](WritingGateway& g) { return g.one(kOpen); }},
          {"cut", [](WritingGateway& g) { return g.one(kTruncate); }},
          {"log start", [](WritingGateway& g) { return g.one(kAdvanceLogStart); }},
          {"promote", [](WritingGateway& g) { return g.one(kPromote); }},
          {"failover", [](WritingGateway& g) { return g.one(kFailover); }}};
}

Task<void> try_all(LinkWorld& world, WritingGateway& gateway) {
  for (const auto& kind : kinds_of_writes()) {
    const Revision before = world.broker("west-1").image()->revision;
    const int16_t code = co_await kind.write(gateway);
    EXPECT_EQ(code, kFencedCode) << kind.name;
    EXPECT_EQ(world.broker("west-1").image()->revision, before) << kind.name << ": the metadata has changed";
  }
}

TEST_F(LinkFencesTest, GatewayThatLostItsLinkWritesNothingOfAnyKind) {
  WritingGateway former(world, 5);
  auto before = [](LinkWorld&, WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    co_await gateway.find_coordinator();
    const int16_t opened = co_await gateway.open();
    EXPECT_EQ(opened, 0);
    const int16_t stored = co_await gateway.put_entry("first");
    EXPECT_EQ(stored, 0);
    const int16_t altered = co_await gateway.alter_config();
    EXPECT_EQ(altered, 0);
  };
  world.run(before(world, former));
  world.run(store(6));
  world.run(try_all(world, former));
}

TEST_F(LinkFencesTest, GatewayOfADeletedLinkWritesNothingOfAnyKind) {
  WritingGateway former(world, 5);
  auto before = [](LinkWorld&, WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    co_await gateway.find_coordinator();
  };
  world.run(before(world, former));
  world.run(store(0));
  world.run(try_all(world, former));
}

// The new owner may be paused, and open nothing: the session of the former one has ended all the same.
TEST_F(LinkFencesTest, AppendOfASessionFromBeforeTheTakeoverIsRefused) {
  WritingGateway former(world, 5);
  auto opens = [](WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    const int16_t opened = co_await gateway.open();
    EXPECT_EQ(opened, 0);
  };
  world.run(opens(former));
  world.run(store(6));
  auto appends = [](WritingGateway& gateway) -> Task<void> {
    const int16_t appended = co_await gateway.append_batch();
    EXPECT_EQ(appended, static_cast<int16_t>(Code::kFencedLeaderEpoch));
    const int16_t opened = co_await gateway.open();
    EXPECT_EQ(opened, kFencedCode);
  };
  world.run(appends(former));
  EXPECT_EQ(mirror_end(), Offset(0));
}

// What belongs to links is never read to find one of them.
TEST_F(LinkFencesTest, LinkIsFoundBehindManyEntriesOfOthers) {
  auto fill = [](LinkWorld& w) -> Task<void> {
    TestClient client(w.client());
    FARSHORE_CO_REQUIRE(co_await client.connect(LinkWorld::endpoint("west-1")));
    for (const char* name : {"a", "b"}) {
      kafka::LinkStateRequest request;
      request.timeout_ms = 10000;
      request.op = wire_value(LinkMetastoreOperation::kTxn);
      for (int n = 0; n < 100; ++n) {
        auto& change = request.changes.emplace_back();
        change.key = fence_bytes(group_memory_key(name, std::to_string(n)));
        change.value = fence_bytes("{}");
      }
      auto stored = co_await client.call(std::move(request), 0);
      EXPECT_TRUE(stored && stored->succeeded);
    }
  };
  world.run(fill(world));
  WritingGateway former(world, 4), owner(world, 5);
  auto writes = [](WritingGateway& old, WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await old.ready());
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    const int16_t refused = co_await old.put_entry("value");
    EXPECT_EQ(refused, kFencedCode);
    const int16_t stored = co_await gateway.put_entry("value");
    EXPECT_EQ(stored, 0);
  };
  world.run(writes(former, owner));
}

// A write that was let in before the takeover is done before the takeover is.
Task<void> hold(Env& env, LinkFences& fences, Duration how_long, bool& holds, bool& left) {
  const LinkWriter writer{LinkWorld::kLink, LinkEpoch(5)};
  auto entered = co_await fences.write(writer, env.in(seconds(10)));
  EXPECT_FALSE(entered.refusal);
  holds = true;
  co_await env.sleep(how_long);
  entered.pass.leave();
  left = true;
}

TEST_F(LinkFencesTest, TakeoverWaitsForWritesThatAreUnderWay) {
  bool holds = false, left = false;
  Env& env = world.broker_env("west-1");
  world.world().spawn(world.broker_env("west-1"), hold(env, fences(), seconds(3), holds, left));
  ASSERT_TRUE(world.until([&] { return holds; }, seconds(10)));
  world.run(store(6));
  EXPECT_TRUE(left) << "the link changed its owner under a write";
}

TEST_F(LinkFencesTest, TakeoverThatCannotWaitLongerChangesNothing) {
  bool holds = false, left = false;
  Env& env = world.broker_env("west-1");
  world.world().spawn(world.broker_env("west-1"), hold(env, fences(), seconds(30), holds, left));
  ASSERT_TRUE(world.until([&] { return holds; }, seconds(10)));
  auto refused = [](LinkFencesTest* test) -> Task<void> {
    const int16_t code = co_await test->try_store(6, 2000);
    EXPECT_EQ(code, static_cast<int16_t>(Code::kRequestTimedOut));
  };
  world.run(refused(this));
  EXPECT_FALSE(left);
  WritingGateway owner(world, 5);
  auto writes = [](WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    const int16_t stored = co_await gateway.put_entry("value");
    EXPECT_EQ(stored, 0) << "nobody has taken the link";
  };
  world.run(writes(owner));
  EXPECT_TRUE(world.until([&] { return left; }, minutes(2)));
}

TEST_F(LinkFencesTest, WriteThatHangsDoesNotKeepOtherGatewaysFromTheLink) {
  bool holds = false, left = false;
  Env& env = world.broker_env("west-1");
  world.world().spawn(world.broker_env("west-1"), hold(env, fences(), minutes(10), holds, left));
  ASSERT_TRUE(world.until([&] { return holds; }, seconds(10)));
  world.run(store(6));
  EXPECT_FALSE(left);
  WritingGateway former(world, 5);
  auto writes = [](WritingGateway& gateway) -> Task<void> {
    FARSHORE_CO_REQUIRE(co_await gateway.ready());
    const int16_t refused = co_await gateway.put_entry("value");
    EXPECT_EQ(refused, kFencedCode);
  };
  world.run(writes(former));
  EXPECT_TRUE(world.until([&] { return left; }, minutes(20)));
}

}  // namespace
}  // namespace farshore::broker
