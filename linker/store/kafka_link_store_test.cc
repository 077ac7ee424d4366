#include "linker/store/kafka_link_store.h"

#include "linker/kafka_fixture.h"
#include "proto/batch/builder.h"

namespace farshore::linker {
namespace {

using KafkaLinkStoreTest = KafkaFixture;

TEST_F(KafkaLinkStoreTest, MakesItsTopicCompactedAndWithoutRecompression) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore store(t.env_, *t.cluster_);
      auto all = co_await store.list("link/", t.soon());
      CO_ASSERT_OK(all);
      EXPECT_TRUE(all->empty());
      CO_ASSERT(t.kafka_.topics.count(kLinksTopic) == 1);
      auto& topic = t.kafka_.topics[kLinksTopic];
      EXPECT_EQ(topic.partitions.size(), 1u);
      EXPECT_EQ(topic.configs["cleanup.policy"], "compact");
      EXPECT_EQ(topic.configs["compression.type"], "producer");
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, ATopicThatLosesRecordsIsRefused) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      t.kafka_.add_topic(kLinksTopic, 1).configs["cleanup.policy"] = "delete";
      KafkaLinkStore store(t.env_, *t.cluster_);
      auto all = co_await store.list("link/", t.soon());
      EXPECT_ERROR(all, ErrorCode::kConflict);
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, AWriteStatesTheRevisionThatItReplaces) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore store(t.env_, *t.cluster_);
      StoredEntry a = entry("link/a", "1", 0);
      auto first = co_await put(store, a, t.soon());
      CO_ASSERT_OK(first);
      auto again = co_await put(store, a, t.soon());
      EXPECT_ERROR(again, ErrorCode::kConflict);
      StoredEntry next = entry("link/a", "2", *first);
      auto second = co_await put(store, next, t.soon());
      CO_ASSERT_OK(second);
      EXPECT_GT(*second, *first);
      StoredEntry other = entry("link/ab", "x", 0);
      CO_DO(co_await put(store, other, t.soon()));
      auto listed = co_await store.list("link/a", t.soon());
      CO_ASSERT_OK(listed);
      CO_ASSERT(listed->size() == 2);
      EXPECT_EQ(listed->front().value, "2");
      EXPECT_EQ(listed->front().revision, *second);
      StoredEntry gone = entry("link/a", "", *second);
      CO_DO(co_await put(store, gone, t.soon()));
      listed = co_await store.list("link/", t.soon());
      CO_ASSERT_OK(listed);
      CO_ASSERT(listed->size() == 1);
      EXPECT_EQ(listed->front().key, "link/ab");
      CO_DO(co_await put(store, a, t.soon()));  // anew, as if it had never been
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, ANewControllerFindsEverythingAndFencesTheOldOne) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore old(t.env_, *t.cluster_);
      StoredEntry a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
      CO_DO(co_await put(old, a, t.soon()));
      KafkaLinkStore fresh(t.env_, *t.cluster_);
      auto listed = co_await fresh.list("link/", t.soon());
      CO_ASSERT_OK(listed);
      CO_ASSERT(listed->size() == 1);
      auto late = co_await put(old, b, t.soon());
      EXPECT_ERROR(late, ErrorCode::kFenced);
      EXPECT_FALSE(old.in_control());
      auto still = co_await old.list("link/", t.soon());
      EXPECT_ERROR(still, ErrorCode::kFenced);
      listed = co_await fresh.list("link/", t.soon());
      CO_ASSERT_OK(listed);
      EXPECT_EQ(listed->size(), 1u);
      CO_DO(co_await old.take_control(t.soon()));  // on purpose
      CO_DO(co_await put(old, b, t.soon()));
      auto fenced = co_await fresh.list("link/", t.soon());  // without a write of its own it notices
      EXPECT_ERROR(fenced, ErrorCode::kFenced);
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, ALostAnswerIsSentAgainAndStoredOnce) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore store(t.env_, *t.cluster_);
      CO_DO(co_await store.take_control(t.soon()));
      int lost = 0;
      t.kafka_.fate = [&lost](int16_t key) {
        return key == kProduceKey && lost++ < 3 ? Fate::kLoseAnswer : Fate::kAnswer;
      };
      StoredEntry a = entry("link/a", "1", 0);
      auto revision = co_await put(store, a, t.soon());
      CO_ASSERT_OK(revision);
      EXPECT_EQ(t.kafka_.partition(kLinksTopic, 0).end, 3);  // the marker, the controller's name, one record
      EXPECT_EQ(*revision, 3);
    }
  };
  play(Play::run(*this));
}

// Every third write or so is in doubt for longer than its deadline; what the store says must be what is there.
TEST_F(KafkaLinkStoreTest, AWriteInDoubtIsDecidedByReading) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore store(t.env_, *t.cluster_);
      CO_DO(co_await store.take_control(t.soon()));
      int64_t revision = 0;
      std::string stored;
      for (int i = 0; i < 60; ++i) {
        const bool land = t.world_.random().chance(0.5);
        int cuts = t.world_.random().chance(0.4) ? 1000 : 0;
        bool first = true;
        t.kafka_.fate = [&](int16_t key) {
          if (key != kProduceKey || cuts == 0) return Fate::kAnswer;
          --cuts;
          const Fate fate = land && first ? Fate::kLoseAnswer : Fate::kLoseRequest;
          first = false;
          return fate;
        };
        const std::string value = "v" + std::to_string(i);
        StoredEntry next = entry("link/a", value, revision);
        auto written = co_await put(store, next, t.env_.in(seconds(2)));
        t.kafka_.fate = nullptr;
        auto listed = co_await store.list("link/", t.soon());
        CO_ASSERT_OK(listed);
        const std::string there = listed->empty() ? "" : listed->front().value;
        if (written) {
          EXPECT_EQ(there, value);
        }
        if (!written && written.error() == ErrorCode::kUnavailable) {
          EXPECT_EQ(there, stored);
        }
        if (!written) {
          EXPECT_TRUE(there == value || there == stored);
        }
        stored = there;
        revision = listed->empty() ? 0 : listed->front().revision;
      }
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, ASecondControllerIsNotFencedByTheFirstOnesDoubts) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore old(t.env_, *t.cluster_), fresh(t.env_, *t.cluster_);
      CO_DO(co_await old.take_control(t.soon()));
      t.kafka_.fate = [](int16_t key) { return key == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
      StoredEntry a = entry("link/a", "1", 0);
      auto lost = co_await put(old, a, t.env_.in(seconds(2)));
      EXPECT_FALSE(lost);
      t.kafka_.fate = nullptr;
      CO_DO(co_await fresh.take_control(t.soon()));
      auto listed = co_await old.list("link/", t.soon());
      EXPECT_ERROR(listed, ErrorCode::kFenced);
      CO_DO(co_await put(fresh, a, t.soon()));
    }
  };
  play(Play::run(*this));
}

// What the target refuses is not written, is said, and hurts nothing that comes after.
TEST_F(KafkaLinkStoreTest, ARefusedWriteChangesNothing) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore store(t.env_, *t.cluster_);
      StoredEntry nameless = entry("", "1", 0), a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
      auto refused = co_await put(store, nameless, t.soon());
      EXPECT_ERROR(refused, ErrorCode::kInvalidArgument);
      auto first = co_await put(store, a, t.soon());
      CO_ASSERT_OK(first);
      for (auto [code, ours] : {std::pair(kafka::ErrorCode::kMessageTooLarge, ErrorCode::kInvalidArgument),
                                std::pair(kafka::ErrorCode::kTopicAuthorizationFailed, ErrorCode::kPermissionDenied)}) {
        t.kafka_.refuse_next_produce = code;
        refused = co_await put(store, b, t.soon());
        EXPECT_ERROR(refused, ours);
        auto listed = co_await store.list("link/", t.soon());
        CO_ASSERT_OK(listed);
        CO_ASSERT(listed->size() == 1);
        EXPECT_EQ(listed->front().revision, *first);
      }
      CO_DO(co_await put(store, b, t.soon()));
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, ATopicWhoseBeginningIsGoneIsReadFromWhereItStarts) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStore old(t.env_, *t.cluster_), fresh(t.env_, *t.cluster_);
      StoredEntry a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
      CO_DO(co_await put(old, a, t.soon()));
      CO_DO(co_await put(old, b, t.soon()));
      t.kafka_.partition(kLinksTopic, 0).delete_records(t.kafka_.partition(kLinksTopic, 0).end - 1);
      auto listed = co_await fresh.list("link/", t.soon());
      CO_ASSERT_OK(listed);
      CO_ASSERT(listed->size() == 1);
      EXPECT_EQ(listed->front().key, "link/b");
    }
  };
  play(Play::run(*this));
}

TEST_F(KafkaLinkStoreTest, TooManyBytesOfEntriesAreRefusedWithTheLimit) {
  struct Play {
    static Task<void> run(KafkaFixture& t) {
      KafkaLinkStoreOptions small;
      small.entries_bytes_max = 1000;
      KafkaLinkStore store(t.env_, *t.cluster_);
      StoredEntry big = entry("link/a", std::string(2000, 'x'), 0);
      CO_DO(co_await put(store, big, t.soon()));
      KafkaLinkStore limited(t.env_, *t.cluster_, small);
      auto listed = co_await limited.list("link/", t.soon());
      EXPECT_ERROR(listed, ErrorCode::kResourceExhausted);
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::linker
