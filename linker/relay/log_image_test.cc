// The journal's image of the log, against FakeKafka: keys side by side, a full disk, and what is thrown away.
#include "linker/relay/testing/journal_fixture.h"
#include "proto/batch/builder.h"

namespace farshore::linker {
namespace {

using RelayImageTest = KafkaFixture;

// A disk that takes nothing while it is full.
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

int32_t log_partition_of(const LinkPartition& key) { return translation_log_partition(key); }

ASYNC_TEST_F(RelayImageTest, KeyStoppedByAFullDiskContinuesWhenThereIsRoom) {
  FullKv disk;
  JournalGateway gateway(*this, {}, &disk);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  disk.full = true;
  for (int64_t i = 1; i < 5; ++i) {
    gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
    co_await env_.sleep(seconds(2));
  }
  EXPECT_EQ(gateway.journal->status().keys_stopped, 1u);
  EXPECT_EQ(gateway.journal->status().last_error.code, ErrorCode::kNoSpace);
  disk.full = false;
  co_await env_.sleep(seconds(5));
  EXPECT_EQ(gateway.journal->status().keys_stopped, 0u) << gateway.journal->status().last_error.to_string();
  co_await gateway.until_written();
  JournalGateway other(*this);
  for (int64_t i = 0; i < 5; ++i) {
    co_await expect_target(gateway, key, i * 20 + 9, i * 30 + 9);
    co_await expect_target(other, key, i * 20 + 9, i * 30 + 9);
  }
  CO_DO(co_await gateway.anchor(key, 0, 200, 200));
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayImageTest, TakeoverAfterAFullDiskKnowsAllOfTheLog) {
  for (bool restarted : {false, true}) {
    FullKv disk;
    JournalGateway gateway(*this, {}, &disk);
    const auto key = key_number(restarted ? 1000 : 1);
    CO_DO(co_await gateway.take(key));
    gateway.journal->relayed(key, run_of(0, 0, 10));
    co_await gateway.until_written();
    disk.full = true;
    gateway.journal->relayed(key, run_of(20, 30, 10));
    while (gateway.journal->status().keys_stopped == 0) co_await env_.sleep(milliseconds(10));
    disk.full = false;
    // Before the image is looked after, another key of the same log partition reads past what it lacks.
    auto neighbour = key_number(key.partition.value() + 1);
    while (log_partition_of(neighbour) != log_partition_of(key)) neighbour.partition = neighbour.partition + 1;
    CO_DO(co_await gateway.take(neighbour));
    if (restarted) co_await gateway.restart();
    auto claims = co_await gateway.take(key);
    CO_ASSERT_OK(claims);
    CO_ASSERT(claims->last_run.has_value());
    EXPECT_EQ(*claims->last_run, run_of(20, 30, 10)) << "restarted: " << restarted;
    co_await expect_target(gateway, key, 29, 39);
    EXPECT_EQ(gateway.journal->status().keys_stopped, 0u);
    co_await gateway.stop();
  }
}

Task<void> one(JournalGateway& gateway, int32_t n, int& left) {
  const auto key = key_number(n);
  auto log = co_await gateway.journal->log_of(key, gateway.fixture.soon());
  CO_ASSERT_OK(log);
  std::vector<TopicPartition> partitions{*log};
  auto owner = co_await kafka::fence(*gateway.cluster, "farshore.test." + std::to_string(n), std::move(partitions),
                                     gateway.fixture.soon());
  CO_ASSERT_OK(owner);
  CO_DO(
      co_await gateway.journal->take_over(key, *owner, gateway.fixture.env_.now() + hours(10), gateway.fixture.soon()));
  RelayAnchor anchor = anchor_of(*owner, 0, n, n);
  CO_DO(co_await gateway.journal->write_anchor(key, anchor, gateway.fixture.soon()));
  gateway.journal->relayed(key, run_of(n, 1000 + n, 1));
  --left;
}

ASYNC_TEST_F(RelayImageTest, ManyKeysInOneLogPartitionAreTakenOverSideBySide) {
  JournalGateway gateway(*this);
  int left = 60;
  Gate gate(env_);
  for (int32_t n = 0; n < 60; ++n) spawn(gate, "one", one(gateway, n, left));
  co_await gate.close();
  EXPECT_EQ(left, 0);
  co_await gateway.until_written();
  JournalGateway other(*this);
  for (int32_t n = 0; n < 60; ++n) {
    const auto key = key_number(n);
    co_await expect_target(other, key, n, 1000 + n);
  }
  co_await gateway.stop();
  co_await other.stop();
}

ASYNC_TEST_F(RelayImageTest, TakeoverOfANeighbourKeepsTheRunsOfAKeyInTheSameLogPartition) {
  JournalGateway gateway(*this);
  const auto key = key_number(0);
  auto log = co_await gateway.journal->log_of(key, soon());
  CO_ASSERT_OK(log);
  int32_t n = 1;
  for (;; ++n) {
    auto other = co_await gateway.journal->log_of(key_number(n), soon());
    CO_ASSERT_OK(other);
    if (*other == *log) break;
  }
  CO_DO(co_await gateway.take(key));
  for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  co_await gateway.until_written();
  // The neighbour's marker stands here; what follows is behind it, and not read by its takeover.
  std::vector<TopicPartition> partitions{*log};
  auto owner = co_await kafka::fence(*gateway.cluster, "farshore.test.neighbour", std::move(partitions), soon());
  CO_ASSERT_OK(owner);
  for (int64_t i = 5; i < 10; ++i) gateway.journal->relayed(key, run_of(i * 20, i * 30, 10));
  co_await gateway.until_written();
  const auto neighbour = key_number(n);
  CO_DO(co_await gateway.journal->take_over(neighbour, *owner, env_.now() + hours(10), soon()));
  for (int64_t i = 0; i < 10; ++i) co_await expect_target(gateway, key, i * 20 + 9, i * 30 + 9);
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayImageTest, ImageThatContradictsTheLogIsRebuilt) {
  JournalGateway gateway(*this), cut_off(*this), sleeper(*this);
  const auto key = key_number(1);
  CO_DO(co_await gateway.take(key));
  gateway.journal->relayed(key, run_of(0, 0, 10));
  co_await gateway.until_written();
  auto log = co_await gateway.journal->log_of(key, soon());
  CO_ASSERT_OK(log);
  const int64_t kept = kafka_.partition(log->topic, log->partition).end;
  gateway.journal->relayed(key, run_of(20, 20, 10));
  co_await gateway.until_written();
  co_await expect_target(cut_off, key, 25, 25);  // their images hold both
  co_await expect_target(sleeper, key, 25, 25);
  kafka_.partition(log->topic, log->partition).elect_unclean(kept);
  co_await cut_off.restart();
  auto lost = co_await cut_off.journal->to_target(key, SourceOffset(25), std::nullopt, soon());
  EXPECT_ERROR(lost, ErrorCode::kOutOfRange);
  co_await expect_target(cut_off, key, 5, 5);
  // The log grows again beyond the sleeper's position, with other records, in another epoch: noticed all the same.
  CO_DO(co_await gateway.take(key));
  for (int64_t i = 0; i < 5; ++i) gateway.journal->relayed(key, run_of(20 + i * 2, 40 + i * 2, 1));
  co_await gateway.until_written();
  co_await sleeper.restart();
  auto other = co_await sleeper.journal->to_target(key, SourceOffset(25), std::nullopt, soon());
  CO_ASSERT_OK(other);
  EXPECT_EQ(other->offset, 46);
  EXPECT_FALSE(other->exact);
  co_await expect_target(cut_off, key, 24, 44);
  // Another topic under the same name.
  kafka_.topics.erase(kTranslationTopic);
  co_await cut_off.restart();
  auto empty = co_await cut_off.journal->to_target(key, SourceOffset(5), std::nullopt, soon());
  EXPECT_ERROR(empty, ErrorCode::kNotFound);
  co_await gateway.stop();
  co_await cut_off.stop();
  co_await sleeper.stop();
}

ASYNC_TEST_F(RelayImageTest, LogOfALaterReleaseIsRefused) {
  JournalGateway gateway(*this);
  const auto key = key_number(1);
  auto log = co_await gateway.journal->log_of(key, soon());
  CO_ASSERT_OK(log);
  BatchBuilder builder;
  builder.add(1, std::string_view("\0\x09later", 7), std::string_view("x"));
  kafka_.append(log->topic, log->partition, builder.build());
  auto claims = co_await gateway.take(key);
  EXPECT_ERROR(claims, ErrorCode::kUnsupported);
  co_await gateway.stop();
}

}  // namespace
}  // namespace farshore::linker
