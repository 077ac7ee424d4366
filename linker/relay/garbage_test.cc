#include "linker/relay/garbage.h"

#include "linker/relay/testing/relay_gateway.h"

namespace farshore::linker {
namespace {

using RelayGarbageTest = KafkaFixture;

Task<void> expect_runs(RelayGateway& gateway, LinkPartition key, bool there) {
  auto claims = co_await gateway.journal.claims(key, gateway.fixture.soon());
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run.has_value(), there) << "partition " << key.partition.value();
}

ASYNC_TEST_F(RelayGarbageTest, CollectRemovesOnlyTranslationsOfDeletedLinks) {
  RelayGateway first(*this);
  const StoredLink deleted = link_named("gone", 0x11), old = link_named("l", 0x22), now = link_named("l", 0x33);
  std::vector<LinkPartition> keys;
  for (const StoredLink& link : {deleted, old, now}) {
    const std::string name = link.id == now.id ? "now" : link.id == old.id ? "old" : "deleted";
    const RelayTopic topic = topic_of(link, name, TargetTopicId(kafka_.add_topic(name, 2).id), 2);
    CO_DO(co_await first.put(relay_topic_key(link.spec.name, name), encode(topic)));
    for (int32_t p = 0; p < 2; ++p) {
      const LinkPartition key{link.id, topic.source_id, PartitionId(p)};
      keys.push_back(key);
      CO_DO(co_await first.take(key));
      for (int64_t i = 0; i < 5; ++i) first.journal.relayed(key, run_of(i * 20, i * 30, 10));
    }
  }
  co_await first.until_written();
  CO_DO(co_await first.put("link/l", encode(now)));
  CO_DO(co_await first.put("link/gone/group/g", "{}"));
  CO_DO(co_await first.put("link/l/group/g", "{}"));
  co_await first.stop();

  // Another gateway, which relayed none of it, does it; and says so in the log of record.
  RelayGateway second(*this);
  kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
  auto forgotten = co_await second.garbage.collect("", env_.in(seconds(3)));
  EXPECT_FALSE(forgotten);
  kafka_.fate = nullptr;
  forgotten = co_await second.garbage.collect("gone", soon());
  CO_ASSERT_OK(forgotten);
  for (size_t i = 0; i < keys.size(); ++i) co_await expect_runs(second, keys[i], i >= 2);
  forgotten = co_await second.garbage.collect("", soon());
  CO_ASSERT_OK(forgotten);
  RelayGateway third(*this);
  for (size_t i = 0; i < keys.size(); ++i) co_await expect_runs(third, keys[i], i >= 4);
  auto left = co_await third.store.list("link/", soon());
  CO_ASSERT_OK(left);
  std::vector<std::string> names;
  for (const auto& entry : *left) names.push_back(entry.key);
  EXPECT_EQ(names, (std::vector<std::string>{"link/l", "link/l/group/g", "link/l/topic/now"}));
  co_await second.stop();
  co_await third.stop();
}

ASYNC_TEST_F(RelayGarbageTest, EntryThatCannotBeReadEndsNoCollectionAndIsKeptIfItMayBelongToSomebody) {
  RelayGateway gateway(*this);
  const std::string newer = R"({"v": 99})", damaged = "no JSON";
  CO_DO(co_await gateway.put("link/a", newer));
  CO_DO(co_await gateway.put("link/a/group/g", "{}"));
  CO_DO(co_await gateway.put("link/b", encode(link_named("b", 0x22))));
  CO_DO(co_await gateway.put("link/b/topic/t", newer));
  CO_DO(co_await gateway.put("link/c/topic/damaged", damaged));
  CO_DO(co_await gateway.put("link/c/topic/newer", newer));
  CO_DO(co_await gateway.put("link/z/group/g", "{}"));
  auto collected = co_await gateway.garbage.collect("", soon());
  CO_ASSERT_OK(collected);
  auto left = co_await gateway.store.list("link/", soon());
  CO_ASSERT_OK(left);
  std::vector<std::string> names;
  for (const auto& entry : *left) names.push_back(entry.key);
  EXPECT_EQ(names,
            (std::vector<std::string>{"link/a", "link/a/group/g", "link/b", "link/b/topic/t", "link/c/topic/newer"}));
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayGarbageTest, SweepThatFoundNothingIsNotRepeatedAtOnce) {
  RelayGateway gateway(*this);
  CO_DO(co_await gateway.put("link/b", encode(link_named("b", 0x22))));
  auto collected = co_await gateway.garbage.collect("", soon());
  CO_ASSERT_OK(collected);
  const auto before = kafka_.requests;
  for (int i = 0; i < 10; ++i) {
    collected = co_await gateway.garbage.collect("", soon());
    CO_ASSERT_OK(collected);
  }
  EXPECT_EQ(kafka_.requests, before);
  CO_DO(co_await gateway.put("link/gone/group/g", "{}"));
  co_await env_.sleep(minutes(2));
  collected = co_await gateway.garbage.collect("", soon());
  CO_ASSERT_OK(collected);
  auto left = co_await gateway.store.list("link/gone/", soon());
  CO_ASSERT_OK(left);
  EXPECT_TRUE(left->empty());
  co_await gateway.stop();
}

}  // namespace
}  // namespace farshore::linker
