#include "linker/store/metastore_link_store.h"

#include "linker/store/testing/kafka_fixture.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/link/keys.h"

namespace farshore::linker {
namespace {

constexpr int16_t kLinkState = kafka::LinkStateRequest::kApiKey;

class MetastoreLinkStoreTest : public KafkaFixture {
 public:
  MetastoreLinkStoreTest() : store_(*cluster_) { kafka_.private_apis = {{kLinkState, 0, 0}}; }
  static StoredEntry entry(std::string value, int64_t revision) {
    StoredEntry entry;
    entry.key = "link/a";
    entry.value = std::move(value);
    entry.revision = revision;
    return entry;
  }
  // The next `count` requests to the registry.
  void lose(Fate how, int count) {
    kafka_.fate = [how, left = count](int16_t key) mutable {
      return key == kLinkState && left-- > 0 ? how : Fate::kAnswer;
    };
  }
  MetastoreLinkStore store_;
};

ASYNC_TEST_F(MetastoreLinkStoreTest, WriteWithALostRequestIsSentAgain) {
  lose(Fate::kLoseRequest, 1);
  auto first = entry("one", 0);
  auto revision = co_await store_.replace(std::move(first), soon());
  CO_ASSERT_OK(revision);
  EXPECT_EQ(kafka_.link_entries["link/a"].value, "one");
  EXPECT_EQ(kafka_.link_entries["link/a"].revision, *revision);
}

ASYNC_TEST_F(MetastoreLinkStoreTest, WriteWithALostAnswerIsFoundDone) {
  lose(Fate::kLoseAnswer, 1);
  auto first = entry("one", 0);
  auto revision = co_await store_.replace(std::move(first), soon());
  CO_ASSERT_OK(revision);
  lose(Fate::kLoseAnswer, 1);
  auto second = entry("two", *revision);
  auto next = co_await store_.replace(std::move(second), soon());
  CO_ASSERT_OK(next);
  EXPECT_GT(*next, *revision);
  lose(Fate::kLoseAnswer, 1);
  auto gone = entry("", *next);
  auto deleted = co_await store_.replace(std::move(gone), soon());
  CO_ASSERT_OK(deleted);
  EXPECT_TRUE(kafka_.link_entries.empty());
}

ASYNC_TEST_F(MetastoreLinkStoreTest, WriteIsSentTwiceAtMost) {
  int writes = 0, calls = 0;
  kafka_.fate = [&](int16_t key) {  // writes and reads take turns
    if (key != kLinkState) return Fate::kAnswer;
    const bool write = calls++ % 2 == 0;
    writes += write;
    return write ? Fate::kLoseRequest : Fate::kAnswer;
  };
  auto first = entry("one", 0);
  auto revision = co_await store_.replace(std::move(first), soon());
  EXPECT_ERROR(revision, ErrorCode::kConnectionReset);
  EXPECT_EQ(writes, 2);
}

ASYNC_TEST_F(MetastoreLinkStoreTest, WriteOfAnotherGatewayIsAConflict) {
  kafka_.link_entries["link/a"] = {"theirs", 7};
  auto late = entry("ours", 3);
  auto lost = co_await store_.replace(std::move(late), soon());
  EXPECT_ERROR(lost, ErrorCode::kConflict);
  lose(Fate::kLoseRequest, 1);
  auto again = entry("ours", 3);
  auto found = co_await store_.replace(std::move(again), soon());
  EXPECT_ERROR(found, ErrorCode::kConflict);
  EXPECT_EQ(kafka_.link_entries["link/a"].value, "theirs");
}

// A link that synced many groups must not keep a gateway from finding its links.
ASYNC_TEST_F(MetastoreLinkStoreTest, LinksAreFoundInAFewPagesHoweverManyGroupsTheyHave) {
  for (int n = 0; n < 12000; ++n) kafka_.link_entries[group_memory_key("a", "group-" + std::to_string(n))] = {"x", 1};
  for (const char* name : {"a", "a-b", "a.c", "b"}) kafka_.link_entries[link_key(name)] = {"link", 2};
  int calls = 0;
  kafka_.fate = [&](int16_t key) {
    calls += key == kLinkState;
    return Fate::kAnswer;
  };
  auto links = co_await store_.links(soon());
  CO_ASSERT_OK(links);
  std::vector<std::string> keys;
  for (const auto& entry : *links) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"link/a", "link/a-b", "link/a.c", "link/b"}));
  EXPECT_LE(calls, 3);
  auto groups = co_await store_.list(link_children_prefix("a"), soon());
  CO_ASSERT_OK(groups);
  EXPECT_EQ(groups->size(), 12000U);
}

ASYNC_TEST_F(MetastoreLinkStoreTest, LinksThatWereDeletedHalfwayAreFoundByWhatTheyLeft) {
  for (const char* name : {"a", "a-b", "b"}) kafka_.link_entries[link_key(name)] = {"link", 2};
  for (const char* name : {"a", "a-b", "a-c", "c"})
    for (int n = 0; n < 1500; ++n) kafka_.link_entries[group_memory_key(name, "group-" + std::to_string(n))] = {"x", 1};
  auto deleted = co_await store_.deleted_links(soon());
  CO_ASSERT_OK(deleted);
  EXPECT_EQ(*deleted, (std::vector<std::string>{"a-c", "c"}));
}

ASYNC_TEST_F(MetastoreLinkStoreTest, EntryThatIsNotThereIsReadWithRevisionZero) {
  kafka_.link_entries["link/ab"] = {"another", 7};
  auto missing = co_await store_.read("link/a", soon());
  CO_ASSERT_OK(missing);
  EXPECT_EQ(missing->revision, 0);
  auto found = co_await store_.read("link/ab", soon());
  CO_ASSERT_OK(found);
  EXPECT_EQ(found->revision, 7);
}

}  // namespace
}  // namespace farshore::linker
