#include "linker/store/kafka_link_store.h"

#include "linker/store/testing/kafka_fixture.h"
#include "proto/batch/builder.h"

namespace farshore::linker {
namespace {

using KafkaLinkStoreTest = KafkaFixture;

ASYNC_TEST_F(KafkaLinkStoreTest, MakesItsTopicCompactedAndWithoutRecompression) {
  KafkaLinkStore store(env_, *cluster_);
  auto all = co_await store.list("link/", soon());
  CO_ASSERT_OK(all);
  EXPECT_TRUE(all->empty());
  CO_ASSERT(kafka_.topics.count(kLinksTopic) == 1);
  auto& topic = kafka_.topics[kLinksTopic];
  EXPECT_EQ(topic.partitions.size(), 1u);
  EXPECT_EQ(topic.configs["cleanup.policy"], "compact");
  EXPECT_EQ(topic.configs["compression.type"], "producer");
}

ASYNC_TEST_F(KafkaLinkStoreTest, TopicThatIsNotCompactedIsRefused) {
  kafka_.add_topic(kLinksTopic, 1).configs["cleanup.policy"] = "delete";
  KafkaLinkStore store(env_, *cluster_);
  auto all = co_await store.list("link/", soon());
  EXPECT_ERROR(all, ErrorCode::kConflict);
}

ASYNC_TEST_F(KafkaLinkStoreTest, WriteWithAnotherRevisionIsAConflict) {
  KafkaLinkStore store(env_, *cluster_);
  StoredEntry a = entry("link/a", "1", 0);
  auto first = co_await put(store, a, soon());
  CO_ASSERT_OK(first);
  auto again = co_await put(store, a, soon());
  EXPECT_ERROR(again, ErrorCode::kConflict);
  StoredEntry next = entry("link/a", "2", *first);
  auto second = co_await put(store, next, soon());
  CO_ASSERT_OK(second);
  EXPECT_GT(*second, *first);
  StoredEntry other = entry("link/ab", "x", 0);
  CO_DO(co_await put(store, other, soon()));
  auto listed = co_await store.list("link/a", soon());
  CO_ASSERT_OK(listed);
  CO_ASSERT(listed->size() == 2);
  EXPECT_EQ(listed->front().value, "2");
  EXPECT_EQ(listed->front().revision, *second);
  StoredEntry gone = entry("link/a", "", *second);
  CO_DO(co_await put(store, gone, soon()));
  listed = co_await store.list("link/", soon());
  CO_ASSERT_OK(listed);
  CO_ASSERT(listed->size() == 1);
  EXPECT_EQ(listed->front().key, "link/ab");
  CO_DO(co_await put(store, a, soon()));  // anew, as if it had never been
}

ASYNC_TEST_F(KafkaLinkStoreTest, NewControllerReadsAllEntriesAndFencesTheOldOne) {
  KafkaLinkStore old(env_, *cluster_);
  StoredEntry a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
  CO_DO(co_await put(old, a, soon()));
  KafkaLinkStore fresh(env_, *cluster_);
  auto listed = co_await fresh.list("link/", soon());
  CO_ASSERT_OK(listed);
  CO_ASSERT(listed->size() == 1);
  auto late = co_await put(old, b, soon());
  EXPECT_ERROR(late, ErrorCode::kFenced);
  EXPECT_FALSE(old.in_control());
  auto still = co_await old.list("link/", soon());
  EXPECT_ERROR(still, ErrorCode::kFenced);
  listed = co_await fresh.list("link/", soon());
  CO_ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 1u);
  CO_DO(co_await old.take_control(soon()));  // on purpose
  CO_DO(co_await put(old, b, soon()));
  auto fenced = co_await fresh.list("link/", soon());  // without a write of its own it notices
  EXPECT_ERROR(fenced, ErrorCode::kFenced);
}

ASYNC_TEST_F(KafkaLinkStoreTest, WriteWithALostAnswerIsSentAgainAndStoredOnce) {
  KafkaLinkStore store(env_, *cluster_);
  CO_DO(co_await store.take_control(soon()));
  int lost = 0;
  kafka_.fate = [&lost](int16_t key) { return key == kProduceKey && lost++ < 3 ? Fate::kLoseAnswer : Fate::kAnswer; };
  StoredEntry a = entry("link/a", "1", 0);
  auto revision = co_await put(store, a, soon());
  CO_ASSERT_OK(revision);
  EXPECT_EQ(kafka_.partition(kLinksTopic, 0).end, 3);  // the marker, the controller's name, one record
  EXPECT_EQ(*revision, 3);
}

// Every third write or so is in doubt for longer than its deadline; what the store says must be what is there.
ASYNC_TEST_F(KafkaLinkStoreTest, AmbiguousWriteIsDecidedByReading) {
  KafkaLinkStore store(env_, *cluster_);
  CO_DO(co_await store.take_control(soon()));
  int64_t revision = 0;
  std::string stored;
  for (int i = 0; i < 60; ++i) {
    const bool land = world_.random().chance(0.5);
    int cuts = world_.random().chance(0.4) ? 1000 : 0;
    bool first = true;
    kafka_.fate = [&](int16_t key) {
      if (key != kProduceKey || cuts == 0) return Fate::kAnswer;
      --cuts;
      const Fate fate = land && first ? Fate::kLoseAnswer : Fate::kLoseRequest;
      first = false;
      return fate;
    };
    const std::string value = "v" + std::to_string(i);
    StoredEntry next = entry("link/a", value, revision);
    auto written = co_await put(store, next, env_.in(seconds(2)));
    kafka_.fate = nullptr;
    auto listed = co_await store.list("link/", soon());
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

ASYNC_TEST_F(KafkaLinkStoreTest, AmbiguousWriteDoesNotFenceALaterController) {
  KafkaLinkStore old(env_, *cluster_), fresh(env_, *cluster_);
  CO_DO(co_await old.take_control(soon()));
  kafka_.fate = [](int16_t key) { return key == kProduceKey ? Fate::kLoseRequest : Fate::kAnswer; };
  StoredEntry a = entry("link/a", "1", 0);
  auto lost = co_await put(old, a, env_.in(seconds(2)));
  EXPECT_FALSE(lost);
  kafka_.fate = nullptr;
  CO_DO(co_await fresh.take_control(soon()));
  auto listed = co_await old.list("link/", soon());
  EXPECT_ERROR(listed, ErrorCode::kFenced);
  CO_DO(co_await put(fresh, a, soon()));
}

// What the target refuses is not written, is said, and hurts nothing that comes after.
ASYNC_TEST_F(KafkaLinkStoreTest, RefusedWriteChangesNothing) {
  KafkaLinkStore store(env_, *cluster_);
  StoredEntry nameless = entry("", "1", 0), a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
  auto refused = co_await put(store, nameless, soon());
  EXPECT_ERROR(refused, ErrorCode::kInvalidArgument);
  auto first = co_await put(store, a, soon());
  CO_ASSERT_OK(first);
  for (auto [code, ours] : {std::pair(kafka::ErrorCode::kMessageTooLarge, ErrorCode::kInvalidArgument),
                            std::pair(kafka::ErrorCode::kTopicAuthorizationFailed, ErrorCode::kPermissionDenied)}) {
    kafka_.refuse_next_produce = code;
    refused = co_await put(store, b, soon());
    EXPECT_ERROR(refused, ours);
    auto listed = co_await store.list("link/", soon());
    CO_ASSERT_OK(listed);
    CO_ASSERT(listed->size() == 1);
    EXPECT_EQ(listed->front().revision, *first);
  }
  CO_DO(co_await put(store, b, soon()));
}

ASYNC_TEST_F(KafkaLinkStoreTest, TopicWithoutItsBeginningIsReadFromItsLogStart) {
  KafkaLinkStore old(env_, *cluster_), fresh(env_, *cluster_);
  StoredEntry a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
  CO_DO(co_await put(old, a, soon()));
  CO_DO(co_await put(old, b, soon()));
  kafka_.partition(kLinksTopic, 0).delete_records(kafka_.partition(kLinksTopic, 0).end - 1);
  auto listed = co_await fresh.list("link/", soon());
  CO_ASSERT_OK(listed);
  CO_ASSERT(listed->size() == 1);
  EXPECT_EQ(listed->front().key, "link/b");
}

ASYNC_TEST_F(KafkaLinkStoreTest, WriteThatWouldNotFitIsRefusedAndChangesNothing) {
  KafkaLinkStoreOptions small;
  small.entries_bytes_max = 8000;
  KafkaLinkStore store(env_, *cluster_, small);
  StoredEntry group = entry("link/l/group/g", std::string(6900, 'x'), 0);
  auto revision = co_await put(store, group, soon());
  CO_ASSERT_OK(revision);
  StoredEntry more = entry("link/l/group/h", std::string(500, 'x'), 0);
  auto refused = co_await put(store, more, soon());
  EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().detail.find("link/l/group/h is not stored"), std::string::npos) << refused.error().detail;
  StoredEntry link = entry("link/l", std::string(500, 'x'), 0);  // what operators do needs no room of the groups
  CO_DO(co_await put(store, link, soon()));
  StoredEntry other = entry("link/m", std::string(900, 'x'), 0);
  refused = co_await put(store, other, soon());
  EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
  auto listed = co_await store.list("link/", soon());
  CO_ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 2u);
  group.value.resize(100);  // what shrinks leads out
  group.revision = *revision;
  CO_DO(co_await put(store, group, soon()));
  CO_DO(co_await put(store, more, soon()));
  CO_DO(co_await put(store, other, soon()));
}

ASYNC_TEST_F(KafkaLinkStoreTest, EntriesThatAreTooLargeAlreadyAreReadAndCanBeDeleted) {
  KafkaLinkStore store(env_, *cluster_);
  for (const char* key : {"link/a", "link/a/group/g", "link/a/group/h"}) {
    StoredEntry big = entry(key, std::string(2000, 'x'), 0);
    CO_DO(co_await put(store, big, soon()));
  }
  KafkaLinkStoreOptions small;
  small.entries_bytes_max = 1000;
  KafkaLinkStore limited(env_, *cluster_, small);
  auto listed = co_await limited.list("link/", soon());
  CO_ASSERT_OK(listed);
  CO_ASSERT(listed->size() == 3);
  StoredEntry other = entry("link/b", "1", 0);
  auto refused = co_await put(limited, other, soon());
  EXPECT_ERROR(refused, ErrorCode::kResourceExhausted);
  for (StoredEntry& each : *listed) {
    each.value.clear();
    CO_DO(co_await put(limited, each, soon()));
  }
  CO_DO(co_await put(limited, other, soon()));
}

ASYNC_TEST_F(KafkaLinkStoreTest, TopicThatNeedsLongerThanTheDeadlineToBeReadIsReadAllTheSame) {
  KafkaLinkStore store(env_, *cluster_);
  for (int i = 0; i < 20; ++i) {
    StoredEntry big = entry("link/l/group/" + std::to_string(i), std::string(500'000, 'x'), 0);
    CO_DO(co_await put(store, big, soon()));
  }
  sim::LinkProfile slow;
  slow.bytes_per_second = 1e6;
  world_.net().set_default_profile(slow);
  KafkaLinkStore fresh(env_, *cluster_);
  CO_DO(co_await fresh.take_control(env_.in(seconds(3))));
  EXPECT_TRUE(fresh.in_control());
}

ASYNC_TEST_F(KafkaLinkStoreTest, PageIsBoundedAndLinksCopiesNothingOfTheirEntries) {
  KafkaLinkStore store(env_, *cluster_);
  std::vector<std::string> names;
  for (const char* name : {"a", "a-b", "c"}) {
    StoredEntry link = entry(link_key(name), "1", 0);
    names.push_back(link.key);
    CO_DO(co_await put(store, link, soon()));
    for (int i = 0; i < 600; ++i) {
      StoredEntry group = entry(group_memory_key(name, std::to_string(i)), "1", 0);
      CO_DO(co_await put(store, group, soon()));
    }
  }
  auto page = co_await store.page("link/", "link0", soon());
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->entries.size(), 1000u);
  EXPECT_TRUE(page->more);
  auto listed = co_await store.list("link/", soon());
  CO_ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 1803u);
  auto links = co_await store.links(soon());
  CO_ASSERT_OK(links);
  std::vector<std::string> found;
  for (const auto& each : *links) found.push_back(each.key);
  EXPECT_EQ(found, names);
  StoredEntry large = entry("link/z", std::string(900'000, 'x'), 0);
  for (int i = 0; i < 3; ++i) {
    large.key += "z";
    CO_DO(co_await put(store, large, soon()));
  }
  page = co_await store.page("link/z", "link0", soon());
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->entries.size(), 2u);
  EXPECT_TRUE(page->more);
}

// The target has forgotten the transactional id, so no marker fences the old controller.
ASYNC_TEST_F(KafkaLinkStoreTest, ControllerWhoseIdWasForgottenStopsWhenAnotherOneIsThere) {
  for (bool writes : {true, false}) {
    KafkaLinkStore old(env_, *cluster_);
    StoredEntry a = entry(writes ? "link/a" : "link/b", "1", 0), b = entry("link/c", "1", 0);
    CO_DO(co_await put(old, a, soon()));
    kafka_.transactional_ids.clear();  // expired
    KafkaLinkStore fresh(env_, *cluster_);
    CO_DO(co_await fresh.take_control(soon()));
    co_await env_.sleep(seconds(6));
    if (writes) {
      auto late = co_await put(old, b, soon());
      EXPECT_ERROR(late, ErrorCode::kFenced);
    } else {
      auto listed = co_await old.list("link/", soon());
      EXPECT_ERROR(listed, ErrorCode::kFenced);
    }
    EXPECT_FALSE(old.in_control());
    auto left = co_await fresh.list("link/c", soon());
    CO_ASSERT_OK(left);
    EXPECT_TRUE(left->empty());
  }
}

ASYNC_TEST_F(KafkaLinkStoreTest, ControllerWhoseIdWasForgottenGoesOnWhenItIsAlone) {
  KafkaLinkStore store(env_, *cluster_);
  StoredEntry a = entry("link/a", "1", 0), b = entry("link/b", "1", 0);
  CO_DO(co_await put(store, a, soon()));
  kafka_.transactional_ids.clear();  // expired
  co_await env_.sleep(seconds(6));
  CO_DO(co_await store.keep_control(soon()));
  CO_DO(co_await put(store, b, soon()));
  EXPECT_TRUE(store.in_control());
}

ASYNC_TEST_F(KafkaLinkStoreTest, ControllerUsesItsIdBeforeItExpires) {
  constexpr int16_t kEndTxn = 26;
  kafka_.broker_configs["transactional.id.expiration.ms"] = "40000";
  KafkaLinkStore store(env_, *cluster_);
  CO_DO(co_await store.take_control(soon()));
  const int before = kafka_.requests[kEndTxn];
  for (int i = 0; i < 100; ++i) {
    CO_DO(co_await store.keep_control(soon()));
    co_await env_.sleep(seconds(2));
  }
  EXPECT_GE(kafka_.requests[kEndTxn] - before, 200 / 40 * 2);
  EXPECT_LE(kafka_.requests[kEndTxn] - before, 200 / 40 * 8);
}

}  // namespace
}  // namespace farshore::linker
