// RelayGateway: what the relays of one gateway share (link store, journal, garbage) at the fake Kafka cluster, and what
// a relay link stores there.
#pragma once

#include "base/memory_kv.h"
#include "linker/relay/garbage.h"
#include "linker/relay/testing/journal_fixture.h"
#include "linker/store/kafka_link_store.h"
#include "linker/store/testing/kafka_fixture.h"
#include "proto/kafka/client/fence.h"
#include "proto/link/keys.h"
#include "proto/link/stored_link.h"
#include "replicator/relay/shards.h"

namespace farshore::linker {

inline StoredLink link_named(const std::string& name, uint8_t id) {
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

inline RelayTopic topic_of(const StoredLink& link, const std::string& name, TargetTopicId id, int32_t partitions) {
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

struct RelayGateway {
  explicit RelayGateway(KafkaFixture& t)
      : fixture(t),
        cluster(KafkaFixture::connect(t.env_)),
        translations(kv),
        store(t.env_, *cluster),
        journal(t.env_, *cluster, translations),
        garbage(t.env_, *cluster, store, journal) {
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
  Task<Result<replicator::RelayClaims>> take(LinkPartition key) {
    const std::string id = replicator::relay_shard_id(key);
    CO_TRY(TopicPartition log, co_await journal.log_of(key, fixture.soon()));
    if (!owners.count(id)) {
      std::vector<TopicPartition> partitions{log};
      CO_TRY(owners[id], co_await kafka::fence(*cluster, id, std::move(partitions), fixture.soon()));
    }
    const kafka::ProducerIdentity owner = owners[id];
    co_return co_await journal.take_over(key, owner, fixture.env_.now() + hours(10), fixture.soon());
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
  RelayGarbage garbage;
  std::map<std::string, kafka::ProducerIdentity> owners;  // of shards, by their transactional id
};

}  // namespace farshore::linker
