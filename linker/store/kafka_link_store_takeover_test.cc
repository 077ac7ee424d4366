// Two gateways that want the control of one target's links, and takeovers that fail half-way.
#include "base/gate.h"
#include "linker/store/kafka_link_store.h"
#include "linker/store/testing/kafka_fixture.h"

namespace farshore::linker {
namespace {

using KafkaLinkStoreTakeoverTest = KafkaFixture;

constexpr int16_t kFetchKey = 1, kAddPartitionsKey = 24, kEndTxnKey = 26;
// A takeover's steps behind the one that raises the epoch, in their order; the last one is its record as the
// controller.
constexpr int16_t kSteps[] = {kFetchKey, kAddPartitionsKey, kEndTxnKey, KafkaFixture::kProduceKey};

// A store whose last write is in doubt, and whose control ended half-way when it wanted to find out: the epoch is
// raised, the marker never came.
Task<void> leave_half_taken(KafkaFixture& t, KafkaLinkStore& store, int16_t lost_key) {
  const int begun = t.kafka_.transactional_ids[kControlTransactionalId].epoch;
  t.kafka_.fate = [lost_key](int16_t key) {
    const bool lost = key == KafkaFixture::kProduceKey || key == lost_key;
    return lost ? KafkaFixture::Fate::kLoseRequest : KafkaFixture::Fate::kAnswer;
  };
  StoredEntry doubt = entry("link/doubt", "1", 0);
  auto lost = co_await put(store, doubt, t.env_.in(seconds(2)));
  EXPECT_FALSE(lost);
  auto half = co_await store.list("link/", t.env_.in(seconds(2)));
  EXPECT_FALSE(half);
  EXPECT_FALSE(store.in_control());
  EXPECT_GT(t.kafka_.transactional_ids[kControlTransactionalId].epoch, begun);
  t.kafka_.fate = nullptr;
}

ASYNC_TEST_F(KafkaLinkStoreTakeoverTest, OldControllerDoesNotFenceANewerOneWhenItTakesControlAgain) {
  for (int16_t lost_key : kSteps) {
    KafkaLinkStore old(env_, *cluster_), fresh(env_, *cluster_);
    CO_DO(co_await old.take_control(soon()));
    co_await leave_half_taken(*this, old, lost_key);
    CO_DO(co_await fresh.take_control(soon()));
    for (int tries = 0; tries < 2; ++tries) {
      auto listed = co_await old.list("link/", soon());
      EXPECT_ERROR(listed, ErrorCode::kFenced);
      auto kept = co_await fresh.list("link/", soon());
      EXPECT_TRUE(kept) << kept.error().to_string();
    }
    const std::string key = "link/" + std::to_string(lost_key);
    StoredEntry a = entry(key, "1", 0);
    CO_DO(co_await put(fresh, a, soon()));
  }
}

ASYNC_TEST_F(KafkaLinkStoreTakeoverTest, RepeatedFirstTakeoverDoesNotFenceALaterController) {
  KafkaLinkStore before(env_, *cluster_), slow(env_, *cluster_), later(env_, *cluster_);
  CO_DO(co_await before.take_control(soon()));
  for (int16_t lost_key : {kEndTxnKey, kFetchKey, kProduceKey}) {
    kafka_.fate = [lost_key](int16_t key) { return key == lost_key ? Fate::kLoseRequest : Fate::kAnswer; };
    auto half = co_await slow.take_control(env_.in(seconds(2)));
    EXPECT_FALSE(half);
    EXPECT_FALSE(slow.in_control());
    EXPECT_NE(half.error().code, ErrorCode::kFenced);
  }
  kafka_.fate = nullptr;
  CO_DO(co_await later.take_control(soon()));
  auto again = co_await slow.take_control(soon());
  EXPECT_ERROR(again, ErrorCode::kFenced);
  StoredEntry a = entry("link/a", "1", 0);
  CO_DO(co_await put(later, a, soon()));
  CO_DO(co_await slow.take_control(soon()));  // on purpose now
  auto listed = co_await later.list("link/", soon());
  EXPECT_ERROR(listed, ErrorCode::kFenced);
}

ASYNC_TEST_F(KafkaLinkStoreTakeoverTest, EpochRaisedByOwnIncompleteTakeoverIsNotAnotherController) {
  for (int16_t lost_key : kSteps) {
    KafkaLinkStore store(env_, *cluster_);
    CO_DO(co_await store.take_control(soon()));
    co_await leave_half_taken(*this, store, lost_key);
    auto listed = co_await store.list("link/", soon());
    CO_ASSERT_OK(listed);
    EXPECT_TRUE(store.in_control());
    const std::string key = "link/" + std::to_string(lost_key);
    StoredEntry a = entry(key, "1", 0);
    CO_DO(co_await put(store, a, soon()));
  }
}

// Takes control of the links after a pause, and counts `running` down.
Task<void> take(KafkaFixture& t, KafkaLinkStore& store, Duration after, Status& result, int& running) {
  co_await t.env_.sleep(after);
  result = co_await store.take_control(t.soon());
  --running;
}

// The old gateway asks what became of its write at the moment when another gateway starts. Whichever request comes
// first, the gateway that started later has control in the end.
ASYNC_TEST_F(KafkaLinkStoreTakeoverTest, LaterOfTwoSimultaneousTakeoversHasControl) {
  Gate gate(env_);
  for (int round = 0; round < 60; ++round) {
    KafkaLinkStore old(env_, *cluster_), fresh(env_, *cluster_);
    CO_DO(co_await old.take_control(soon()));
    co_await leave_half_taken(*this, old, kSteps[round % 4]);
    int running = 1;
    Status taken;
    const Duration after = milliseconds(world_.random().below(150));
    spawn(gate, "fresh", take(*this, fresh, after, taken, running));
    const Duration meanwhile = milliseconds(world_.random().below(150));
    co_await env_.sleep(meanwhile);
    auto found = co_await old.list("link/", soon());
    EXPECT_TRUE(found || found.error() == ErrorCode::kFenced) << found.error().to_string();
    while (running > 0) co_await env_.sleep(milliseconds(1));
    EXPECT_TRUE(taken) << "round " << round << ": " << taken.error().to_string();
    auto listed = co_await old.list("link/", soon());
    EXPECT_ERROR(listed, ErrorCode::kFenced);
    const std::string key = "link/" + std::to_string(round);
    StoredEntry a = entry(key, "1", 0);
    CO_DO(co_await put(fresh, a, soon()));
  }
  co_await gate.close();
}

}  // namespace
}  // namespace farshore::linker
