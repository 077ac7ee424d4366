// JournalGateway: a gateway process with its disk, its connections and its journal, at the fake Kafka cluster.
#pragma once

#include "base/memory_kv.h"
#include "linker/relay/journal.h"
#include "linker/store/testing/kafka_fixture.h"
#include "proto/kafka/client/fence.h"

namespace farshore::linker {

inline LinkPartition key_number(int32_t n) {
  LinkPartition key;
  Uuid link, topic;
  link.bytes.fill(0x11);
  topic.bytes.fill(0x22);
  key.link = LinkId(link);
  key.source_topic = SourceTopicId(topic);
  key.partition = PartitionId(n);
  return key;
}

inline TranslationRun run_of(int64_t source, int64_t target, int64_t length) {
  TranslationRun run;
  run.source = SourceOffset(source);
  run.target = TargetOffset(target);
  run.length = length;
  run.source_epoch = LogEpoch(1);
  run.target_epoch = LeadershipEpoch(0);
  return run;
}

inline RelayAnchor anchor_of(kafka::ProducerIdentity producer, int32_t sequence, int64_t source, int64_t target_from) {
  RelayAnchor anchor;
  anchor.producer = producer;
  anchor.sequence = sequence;
  anchor.source = SourceOffset(source);
  anchor.source_epoch = LogEpoch(1);
  anchor.target_from = TargetOffset(target_from);
  return anchor;
}

struct JournalGateway {
  explicit JournalGateway(KafkaFixture& t, RelayJournalOptions options = {}, KvStore* disk = nullptr)
      : fixture(t),
        cluster(KafkaFixture::connect(t.env_)),
        store(disk ? *disk : kv),
        journal(std::make_unique<KafkaRelayJournal>(t.env_, *cluster, store, options)) {
    journal->start();
  }
  Task<Result<replicator::RelayClaims>> take(LinkPartition key) {
    CO_TRY(TopicPartition log, co_await journal->log_of(key, fixture.soon()));
    std::vector<TopicPartition> partitions{log};
    CO_TRY(owner, co_await kafka::fence(*cluster, "farshore.test." + std::to_string(key.partition.value()),
                                        std::move(partitions), fixture.soon()));
    co_return co_await journal->take_over(key, owner, fixture.env_.now() + hours(10), fixture.soon());
  }
  Task<Status> anchor(LinkPartition key, int32_t sequence, int64_t source, int64_t target_from) {
    RelayAnchor what = anchor_of(owner, sequence, source, target_from);
    co_return co_await journal->write_anchor(key, what, fixture.soon());
  }
  // The process restarts; its disk stays.
  Task<void> restart(RelayJournalOptions options = {}) {
    cluster->close();
    co_await journal->stop();
    journal.reset();
    cluster = KafkaFixture::connect(fixture.env_);
    journal = std::make_unique<KafkaRelayJournal>(fixture.env_, *cluster, store, options);
    journal->start();
  }
  Task<void> stop() {
    cluster->close();
    co_await journal->stop();
  }
  Task<void> until_written() {
    for (int i = 0; i < 100 && journal->status().keys_behind > 0; ++i) co_await fixture.env_.sleep(milliseconds(200));
    EXPECT_EQ(journal->status().keys_behind, 0u) << journal->status().last_error.to_string();
  }

  KafkaFixture& fixture;
  MemoryKv kv;
  std::unique_ptr<kafka::ClusterClient> cluster;
  offsets::TranslationStore store;
  std::unique_ptr<KafkaRelayJournal> journal;
  kafka::ProducerIdentity owner;
};

inline Task<void> expect_target(JournalGateway& gateway, LinkPartition key, int64_t source, int64_t target) {
  auto got = co_await gateway.journal->to_target(key, SourceOffset(source), std::nullopt, gateway.fixture.soon());
  CO_ASSERT_OK(got);
  EXPECT_EQ(got->offset, target) << "source " << source;
  auto back = co_await gateway.journal->to_source(key, TargetOffset(target), gateway.fixture.soon());
  CO_ASSERT_OK(back);
  EXPECT_EQ(back->offset, source) << "target " << target;
}

}  // namespace farshore::linker
