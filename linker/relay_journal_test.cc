// The journal against FakeKafka: what it writes, what another gateway reads, and what is thrown away.
#include "linker/relay_journal.h"

#include "base/memory_kv.h"
#include "linker/kafka_fixture.h"
#include "proto/batch/builder.h"
#include "replicator/fence.h"

namespace farshore::linker {
namespace {

replicator::PumpKey key_number(int32_t n) {
  replicator::PumpKey key;
  key.link.bytes.fill(0x11);
  key.source_topic.bytes.fill(0x22);
  key.partition = PartitionId(n);
  return key;
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

RelayAnchor anchor_of(RelayProducer producer, int32_t sequence, int64_t source, int64_t target_from) {
  RelayAnchor anchor;
  anchor.producer = producer;
  anchor.sequence = sequence;
  anchor.source = SourceOffset(source);
  anchor.source_epoch = LogEpoch(1);
  anchor.target_from = TargetOffset(target_from);
  return anchor;
}

// A gateway: its disk, its connections, its journal.
struct Gateway {
  explicit Gateway(KafkaFixture& t, RelayJournalOptions options = {}, KvStore* disk = nullptr)
      : fixture(t),
        cluster(KafkaFixture::connect(t.env_)),
        store(disk ? *disk : kv),
        journal(std::make_unique<KafkaRelayJournal>(t.env_, *cluster, store, options)) {
    journal->start();
  }
  Task<Result<replicator::RelayClaims>> take(replicator::PumpKey key) {
    CO_TRY(TopicPartition log, co_await journal->log_of(key, fixture.soon()));
    std::vector<TopicPartition> partitions{log};
    CO_TRY(owner, co_await replicator::fence(*cluster, "farshore.test." + std::to_string(key.partition.value()),
                                             std::move(partitions), fixture.soon()));
    co_return co_await journal->take_over(key, owner, fixture.soon());
  }
  Task<Status> anchor(replicator::PumpKey key, int32_t sequence, int64_t source, int64_t target_from) {
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
  RelayProducer owner;
};

Task<void> expect_target(Gateway& gateway, replicator::PumpKey key, int64_t source, int64_t target) {
  auto got = co_await gateway.journal->to_target(key, SourceOffset(source), std::nullopt, gateway.fixture.soon());
  CO_ASSERT_OK(got);
  EXPECT_EQ(got->offset, target) << "source " << source;
  auto back = co_await gateway.journal->to_source(key, TargetOffset(target), gateway.fixture.soon());
  CO_ASSERT_OK(back);
  EXPECT_EQ(back->offset, source) << "target " << target;
}

using RelayJournalTest = KafkaFixture;

TEST_F(RelayJournalTest, AnotherGatewayReadsWhatWasWrittenDown) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway first(t), second(t);
      const auto key = key_number(3);
      auto claims = co_await first.take(key);
      CO_ASSERT_OK(claims);
      EXPECT_TRUE(claims->anchors.empty());
      EXPECT_FALSE(claims->last_run);
      CO_DO(co_await first.anchor(key, 0, 100, 5));
      first.journal->relayed(key, run_of(100, 5, 10));
      first.journal->relayed(key, run_of(110, 15, 10));  // continues
      EXPECT_EQ(first.journal->relayed_end(key), std::optional(TargetOffset(25)));
      first.journal->relayed(key, run_of(120, 30, 10));  // a foreign record in between
      EXPECT_EQ(first.journal->relayed_end(key), std::optional(TargetOffset(40)));
      EXPECT_EQ(second.journal->relayed_end(key), std::nullopt);
      co_await expect_target(first, key, 129, 39);  // before anything is written down
      co_await first.until_written();
      auto again = co_await second.take(key);
      CO_ASSERT_OK(again);
      CO_ASSERT(again->anchors.size() == 1);
      EXPECT_EQ(again->anchors.front(), anchor_of(first.owner, 0, 100, 5));
      EXPECT_EQ(again->last_run, std::optional(run_of(120, 30, 10)));
      EXPECT_EQ(second.journal->relayed_end(key), std::optional(TargetOffset(40)));
      co_await expect_target(second, key, 105, 10);
      co_await expect_target(second, key, 125, 35);
      // The first one is fenced, and says so.
      auto late = co_await first.anchor(key, 30, 130, 40);
      EXPECT_ERROR(late, ErrorCode::kFenced);
      EXPECT_EQ(first.journal->status().keys_stopped, 1u);
      co_await first.stop();
      co_await second.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, ARunThatGrowsIsWrittenAtMostOncePerSecondUnderOneKey) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      auto log = co_await gateway.journal->log_of(key, t.soon());
      const int64_t before = t.kafka_.partition(log->topic, log->partition).end;
      for (int64_t i = 0; i < 500; ++i) {
        gateway.journal->relayed(key, run_of(i * 10, i * 10, 10));
        co_await t.env_.sleep(milliseconds(10));
      }
      co_await gateway.until_written();
      const int64_t records = t.kafka_.partition(log->topic, log->partition).end - before;
      EXPECT_GE(records, 3);
      EXPECT_LE(records, 8);
      auto rows = co_await gateway.kv.scan("r", "s", 10);
      EXPECT_EQ(rows->size(), 1u);
      co_await gateway.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, AnchorsThatLaterRunsHaveReachedAreTakenAway) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(1);
      int64_t offset = 0;
      for (int round = 0; round < 30; ++round) {
        CO_DO(co_await gateway.take(key));
        CO_DO(co_await gateway.anchor(key, 0, offset, offset + round));
        gateway.journal->relayed(key, run_of(offset, offset + round, 10));
        offset += 10;
        co_await gateway.until_written();
      }
      auto claims = co_await gateway.journal->claims(key, t.soon());
      CO_ASSERT_OK(claims);
      EXPECT_LE(claims->anchors.size(), 2u);
      EXPECT_EQ(claims->anchors.back().source, SourceOffset(290));
      Gateway other(t);
      auto read = co_await other.take(key);
      CO_ASSERT_OK(read);
      EXPECT_EQ(read->anchors, claims->anchors);
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, WhatWasNotWrittenDownIsTakenBackAtATakeover) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      gateway.journal->relayed(key, run_of(0, 0, 10));
      co_await gateway.until_written();
      t.kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
      gateway.journal->relayed(key, run_of(10, 10, 5));
      gateway.journal->relayed(key, run_of(20, 20, 5));
      // It translates, and the store holds it as not logged.
      auto seen = co_await gateway.journal->to_target(key, SourceOffset(24), std::nullopt, t.soon());
      CO_ASSERT_OK(seen);
      EXPECT_EQ(seen->offset, 24);
      co_await gateway.restart();
      t.kafka_.fate = nullptr;
      auto claims = co_await gateway.take(key);
      CO_ASSERT_OK(claims);
      EXPECT_EQ(claims->last_run, std::optional(run_of(0, 0, 10)));
      // The sink found both at the target again.
      gateway.journal->relayed(key, run_of(10, 10, 5));
      gateway.journal->relayed(key, run_of(20, 20, 5));
      co_await gateway.until_written();
      Gateway other(t);
      CO_DO(co_await other.take(key));
      co_await expect_target(other, key, 14, 14);
      co_await expect_target(other, key, 24, 24);
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, AKeyWhoseImageFindsNoRoomGoesOnWhenThereIsSome) {
  struct FullKv final : KvStore {
    using Items = std::vector<std::pair<std::string, std::string>>;
    Task<Result<std::optional<std::string>>> get(std::string key) override { return kv.get(std::move(key)); }
    Task<Result<Items>> scan(std::string begin, std::string end, size_t items_max) override {
      return kv.scan(std::move(begin), std::move(end), items_max);
    }
    Task<Result<Items>> scan_reverse(std::string begin, std::string end, size_t items_max) override {
      return kv.scan_reverse(std::move(begin), std::move(end), items_max);
    }
    Task<Status> write(KvBatch batch, Sync sync) override {
      if (full) co_return Error(ErrorCode::kNoSpace, "not one byte is left");
      co_return co_await kv.write(std::move(batch), sync);
    }
    MemoryKv kv;
    bool full = false;
  };
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      FullKv disk;
      Gateway gateway(t, {}, &disk);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      gateway.journal->relayed(key, run_of(0, 0, 10));
      co_await gateway.until_written();
      disk.full = true;
      for (int64_t i = 1; i < 5; ++i) {
        gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
        co_await t.env_.sleep(seconds(2));
      }
      EXPECT_EQ(gateway.journal->status().keys_stopped, 1u);
      EXPECT_EQ(gateway.journal->status().last_error.code, ErrorCode::kNoSpace);
      disk.full = false;
      co_await t.env_.sleep(seconds(5));
      EXPECT_EQ(gateway.journal->status().keys_stopped, 0u) << gateway.journal->status().last_error.to_string();
      co_await gateway.until_written();
      Gateway other(t);
      for (int64_t i = 0; i < 5; ++i) {
        co_await expect_target(gateway, key, i * 20 + 9, i * 30 + 9);
        co_await expect_target(other, key, i * 20 + 9, i * 30 + 9);
      }
      CO_DO(co_await gateway.anchor(key, 0, 200, 200));
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, ALoweredClaimIsLoweredForEverybody) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      RelayJournalOptions small;
      small.runs_per_batch_max = 3;
      Gateway gateway(t, small);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      for (int64_t i = 0; i < 20; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
      co_await gateway.until_written();
      CO_DO(co_await gateway.take(key));
      CO_DO(co_await gateway.anchor(key, 0, 60, 100));
      CO_DO(co_await gateway.anchor(key, 500, 390, 580));
      auto left = co_await gateway.journal->lower_claim(key, TargetOffset(125), t.soon());
      CO_ASSERT_OK(left);
      EXPECT_EQ(left->last_run, std::optional(run_of(80, 120, 5)));
      EXPECT_EQ(left->anchors, std::vector{anchor_of(gateway.owner, 0, 60, 100)});
      Gateway other(t);
      auto claims = co_await other.take(key);
      CO_ASSERT_OK(claims);
      EXPECT_EQ(claims->last_run, std::optional(run_of(80, 120, 5)));
      EXPECT_EQ(claims->anchors, left->anchors);
      auto beyond = co_await other.journal->to_target(key, SourceOffset(300), std::nullopt, t.soon());
      EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, ManyKeysInOneLogPartitionAreTakenOverSideBySide) {
  struct Play {
    static Task<void> one(Gateway& gateway, int32_t n, int& left) {
      const auto key = key_number(n);
      auto log = co_await gateway.journal->log_of(key, gateway.fixture.soon());
      CO_ASSERT_OK(log);
      std::vector<TopicPartition> partitions{*log};
      auto owner = co_await replicator::fence(*gateway.cluster, "farshore.test." + std::to_string(n),
                                              std::move(partitions), gateway.fixture.soon());
      CO_ASSERT_OK(owner);
      CO_DO(co_await gateway.journal->take_over(key, *owner, gateway.fixture.soon()));
      RelayAnchor anchor = anchor_of(*owner, 0, n, n);
      CO_DO(co_await gateway.journal->write_anchor(key, anchor, gateway.fixture.soon()));
      gateway.journal->relayed(key, run_of(n, 1000 + n, 1));
      --left;
    }
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      int left = 60;
      Gate gate(t.env_);
      for (int32_t n = 0; n < 60; ++n) spawn(gate, "one", one(gateway, n, left));
      co_await gate.close();
      EXPECT_EQ(left, 0);
      co_await gateway.until_written();
      Gateway other(t);
      for (int32_t n = 0; n < 60; ++n) {
        const auto key = key_number(n);
        co_await expect_target(other, key, n, 1000 + n);
      }
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, WhatAKeyWroteMeanwhileStaysWhenAnotherOfItsLogPartitionIsTakenOver) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(0);
      auto log = co_await gateway.journal->log_of(key, t.soon());
      CO_ASSERT_OK(log);
      int32_t n = 1;
      for (;; ++n) {
        auto other = co_await gateway.journal->log_of(key_number(n), t.soon());
        CO_ASSERT_OK(other);
        if (*other == *log) break;
      }
      CO_DO(co_await gateway.take(key));
      for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
      co_await gateway.until_written();
      // The neighbour's marker stands here; what follows is behind it, and not read by its takeover.
      std::vector<TopicPartition> partitions{*log};
      auto owner =
          co_await replicator::fence(*gateway.cluster, "farshore.test.neighbour", std::move(partitions), t.soon());
      CO_ASSERT_OK(owner);
      for (int64_t i = 5; i < 10; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
      co_await gateway.until_written();
      const auto neighbour = key_number(n);
      CO_DO(co_await gateway.journal->take_over(neighbour, *owner, t.soon()));
      for (int64_t i = 0; i < 10; ++i) co_await expect_target(gateway, key, i * 20 + 9, i * 30 + 9);
      co_await gateway.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, AnImageThatTheLogDoesNotBearOutIsRebuilt) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t), cut_off(t), sleeper(t);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      gateway.journal->relayed(key, run_of(0, 0, 10));
      co_await gateway.until_written();
      auto log = co_await gateway.journal->log_of(key, t.soon());
      CO_ASSERT_OK(log);
      const int64_t kept = t.kafka_.partition(log->topic, log->partition).end;
      gateway.journal->relayed(key, run_of(20, 20, 10));
      co_await gateway.until_written();
      co_await expect_target(cut_off, key, 25, 25);  // their images hold both
      co_await expect_target(sleeper, key, 25, 25);
      t.kafka_.partition(log->topic, log->partition).elect_unclean(kept);
      co_await cut_off.restart();
      auto lost = co_await cut_off.journal->to_target(key, SourceOffset(25), std::nullopt, t.soon());
      EXPECT_ERROR(lost, ErrorCode::kOutOfRange);
      co_await expect_target(cut_off, key, 5, 5);
      // The log grows again beyond the sleeper's position, with other records, in another epoch: noticed all the same.
      CO_DO(co_await gateway.take(key));
      for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(20 + i * 2, 40 + i * 2, 1));
      co_await gateway.until_written();
      co_await sleeper.restart();
      auto other = co_await sleeper.journal->to_target(key, SourceOffset(25), std::nullopt, t.soon());
      CO_ASSERT_OK(other);
      EXPECT_EQ(other->offset, 46);
      EXPECT_FALSE(other->exact);
      co_await expect_target(cut_off, key, 24, 44);
      // Another topic under the same name.
      t.kafka_.topics.erase(kTranslationTopic);
      co_await cut_off.restart();
      auto empty = co_await cut_off.journal->to_target(key, SourceOffset(5), std::nullopt, t.soon());
      EXPECT_ERROR(empty, ErrorCode::kNotFound);
      co_await gateway.stop();
      co_await cut_off.stop();
      co_await sleeper.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, AKeyWithTooManyUnwrittenRunsStopsAndSaysSo) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      RelayJournalOptions small;
      small.runs_pending_max = 10;
      Gateway gateway(t, small);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      for (int64_t i = 0; i < 20; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
      EXPECT_EQ(gateway.journal->status().keys_stopped, 1u);
      EXPECT_EQ(gateway.journal->status().last_error.code, ErrorCode::kResourceExhausted);
      auto refused = co_await gateway.anchor(key, 0, 0, 0);
      EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
      CO_DO(co_await gateway.take(key));
      gateway.journal->relayed(key, run_of(0, 0, 10));
      co_await gateway.until_written();
      co_await gateway.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, WhatTheSourceDeletedIsForgottenAndTheEndStays) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(1);
      CO_DO(co_await gateway.take(key));
      CO_DO(co_await gateway.anchor(key, 0, 0, 0));
      for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
      co_await gateway.until_written();
      CO_DO(co_await gateway.journal->forget_below(key, SourceOffset(45), t.soon()));
      Gateway other(t);
      auto below = co_await other.journal->to_target(key, SourceOffset(25), std::nullopt, t.soon());
      EXPECT_ERROR(below, ErrorCode::kOutOfRange);
      co_await expect_target(other, key, 49, 69);
      CO_DO(co_await gateway.journal->forget_below(key, SourceOffset(1000), t.soon()));
      auto claims = co_await gateway.journal->claims(key, t.soon());
      EXPECT_EQ(claims->last_run, std::optional(run_of(80, 120, 10)));
      CO_DO(co_await gateway.journal->forget(key, t.soon()));
      auto gone = co_await other.journal->claims(key, t.soon());
      CO_ASSERT_OK(gone);
      EXPECT_FALSE(gone->last_run);
      EXPECT_TRUE(gone->anchors.empty());
      co_await gateway.stop();
      co_await other.stop();
    }
  };
  play(Play::run(*this));
}

TEST_F(RelayJournalTest, ALogOfALaterFarshoreIsRefused) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      Gateway gateway(t);
      const auto key = key_number(1);
      auto log = co_await gateway.journal->log_of(key, t.soon());
      CO_ASSERT_OK(log);
      BatchBuilder builder;
      builder.add(1, std::string_view("\0\x09later", 7), std::string_view("x"));
      t.kafka_.append(log->topic, log->partition, builder.build());
      auto claims = co_await gateway.take(key);
      EXPECT_ERROR(claims, ErrorCode::kUnsupported);
      co_await gateway.stop();
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::linker
