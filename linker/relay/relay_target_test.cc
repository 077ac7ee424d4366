// What a relay does about its topics at the target, on a FakeKafka: topics that go away under it, and what a deleted
// link leaves behind.
#include "linker/relay/relay_target.h"

#include "base/memory_kv.h"
#include "linker/kafka_fixture.h"
#include "linker/relay/garbage.h"
#include "linker/store/kafka_link_store.h"
#include "proto/kafka/client/fence.h"
#include "replicator/relay/takeover.h"

namespace farshore::linker {
namespace {

using RelayTargetTest = KafkaFixture;
using RelayLeftoversTest = KafkaFixture;

StoredLink link_named(const std::string& name, uint8_t id) {
  StoredLink link;
  link.spec.name = name;
  link.spec.mode = LinkMode::kRelay;
  link.spec.source.push_back(Endpoint{"source", 9092});
  link.spec.target.push_back(Endpoint{"kafka", 9092});
  link.spec.topics.emplace_back().name = "orders";
  Uuid uuid;
  uuid.bytes.fill(id);
  link.id = LinkId(uuid);
  link.epoch = LinkEpoch(1);
  return link;
}

RelayTopic topic_of(const StoredLink& link, const std::string& name, TargetTopicId id, int32_t partitions) {
  RelayTopic topic;
  topic.link = link.id;
  topic.topic = topic.source_topic = name;
  topic.id = id;
  Uuid uuid;
  uuid.bytes.fill(0x77);
  topic.source_id = SourceTopicId(uuid);
  topic.source_cluster_id = ClusterId("source-cluster");
  topic.partitions = partitions;
  return topic;
}

TranslationRun run_of(int64_t source, int64_t target, int64_t length) {
  TranslationRun run;
  run.source = SourceOffset(source);
  run.target = TargetOffset(target);
  run.length = length;
  run.source_epoch = LogEpoch(1);
  run.target_epoch = LeadershipEpoch(0);
  return run;
}

// A gateway at the fake cluster.
struct Gateway {
  explicit Gateway(KafkaFixture& t)
      : fixture(t),
        cluster(KafkaFixture::connect(t.env_)),
        translations(kv),
        store(t.env_, *cluster),
        journal(t.env_, *cluster, translations),
        leftovers(t.env_, *cluster, store, journal) {
    journal.start();
  }
  Task<Status> put(std::string key, std::string value) {
    StoredEntry entry;
    entry.key = std::move(key);
    entry.value = std::move(value);
    CO_CHECK(co_await store.replace(std::move(entry), fixture.soon()));
    co_return ok();
  }
  Task<Status> drop(std::string key) {
    CO_TRY(auto found, co_await store.list(key, fixture.soon()));
    for (auto& entry : found) {
      if (entry.key != key) continue;
      entry.value.clear();
      CO_CHECK(co_await store.replace(std::move(entry), fixture.soon()));
    }
    co_return ok();
  }
  Task<Result<replicator::RelayClaims>> take(replicator::PumpKey key) {
    CO_TRY(TopicPartition log, co_await journal.log_of(key, fixture.soon()));
    std::vector<TopicPartition> partitions{log};
    CO_TRY(auto owner, co_await kafka::fence(*cluster, replicator::relay_transactional_id(key), std::move(partitions),
                                             fixture.soon()));
    co_return co_await journal.take_over(key, owner, fixture.soon());
  }
  Task<void> until_written() {
    for (int i = 0; i < 100 && journal.status().keys_behind > 0; ++i) co_await fixture.env_.sleep(milliseconds(200));
    EXPECT_EQ(journal.status().keys_behind, 0u) << journal.status().last_error.to_string();
  }
  Task<void> stop() {
    cluster->close();
    co_await journal.stop();
  }

  KafkaFixture& fixture;
  MemoryKv kv;
  std::unique_ptr<kafka::ClusterClient> cluster;
  offsets::TranslationStore translations;
  KafkaLinkStore store;
  KafkaRelayJournal journal;
  RelayLeftovers leftovers;
};

Task<void> expect_runs(Gateway& gateway, replicator::PumpKey key, bool there) {
  auto claims = co_await gateway.journal.claims(key, gateway.fixture.soon());
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run.has_value(), there) << "partition " << key.partition.value();
}

TEST_F(RelayTargetTest, ATopicThatIsMadeAnewOrGoneAtTheTargetIsNoticedWhileNothingIsRelayed) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const StoredLink link = link_named("l", 0x11);
      for (const char* name : {"kept", "made-anew", "dropped"}) {
        const RelayTopic topic = topic_of(link, name, TargetTopicId(t.kafka_.add_topic(name, 1).id), 1);
        CO_DO(co_await gateway.put(relay_topic_key("l", name), encode(topic)));
      }
      const RelayServices services{gateway.store, gateway.journal, gateway.translations};
      RelayTarget target(t.env_, t.env_.network(), link, services);
      auto gone = co_await target.gone(t.soon());
      CO_ASSERT_OK(gone);
      EXPECT_TRUE(gone->empty());
      const std::string before = t.kafka_.topics.at("made-anew").id.to_string();
      for (const char* name : {"made-anew", "dropped"}) t.kafka_.topics.erase(name);
      const std::string after = t.kafka_.add_topic("made-anew", 1).id.to_string();
      gone = co_await target.gone(t.soon());
      CO_ASSERT_OK(gone);
      CO_ASSERT(gone->size() == 1);
      const std::string why = gone->at("made-anew");
      EXPECT_NE(why.find(before), std::string::npos) << why;
      EXPECT_NE(why.find(after), std::string::npos) << why;
      // Brokers learn of topics one after another: one that is missing once may be there.
      (void)co_await target.gone(t.soon());
      gone = co_await target.gone(t.soon());
      CO_ASSERT_OK(gone);
      EXPECT_EQ(gone->size(), 2u);
      EXPECT_EQ(gone->count("kept"), 0u);
      target.close();
      co_await gateway.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayLeftoversTest, WhatADeletedLinkRelayedIsForgottenAndNothingElse) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway first(t);
      const StoredLink deleted = link_named("gone", 0x11), old = link_named("l", 0x22), now = link_named("l", 0x33);
      std::vector<replicator::PumpKey> keys;
      for (const StoredLink& link : {deleted, old, now}) {
        const std::string name = link.id == now.id ? "now" : link.id == old.id ? "old" : "deleted";
        const RelayTopic topic = topic_of(link, name, TargetTopicId(t.kafka_.add_topic(name, 2).id), 2);
        CO_DO(co_await first.put(relay_topic_key(link.spec.name, name), encode(topic)));
        for (int32_t p = 0; p < 2; ++p) {
          const replicator::PumpKey key{link.id, topic.source_id, PartitionId(p)};
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
      Gateway second(t);
      t.kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
      auto forgotten = co_await second.leftovers.forget("", t.env_.in(seconds(3)));
      EXPECT_FALSE(forgotten);
      t.kafka_.fate = nullptr;
      forgotten = co_await second.leftovers.forget("gone", t.soon());
      CO_ASSERT_OK(forgotten);
      for (size_t i = 0; i < keys.size(); ++i) co_await expect_runs(second, keys[i], i >= 2);
      forgotten = co_await second.leftovers.forget("", t.soon());
      CO_ASSERT_OK(forgotten);
      Gateway third(t);
      for (size_t i = 0; i < keys.size(); ++i) co_await expect_runs(third, keys[i], i >= 4);
      auto left = co_await third.store.list("link/", t.soon());
      CO_ASSERT_OK(left);
      std::vector<std::string> names;
      for (const auto& entry : *left) names.push_back(entry.key);
      EXPECT_EQ(names, (std::vector<std::string>{"link/l", "link/l/group/g", "link/l/topic/now"}));
      co_await second.stop();
      co_await third.stop();
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::linker
