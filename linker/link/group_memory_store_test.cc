#include "linker/link/tasks/group_memory_store.h"

#include "linker/store/testing/kafka_fixture.h"
#include "linker/store/testing/memory_link_store.h"

namespace farshore::linker {
namespace {

class GroupMemoryStoreTest : public KafkaFixture {
 public:
  GroupMemoryStoreTest() : definition_(env_, store_, named("a"), 1), memory_(store_, definition_) {
    store_.stored.key = "link/a";
    store_.stored.revision = 1;
  }
  static StoredLink named(std::string name) {
    StoredLink link;
    link.spec.name = std::move(name);
    return link;
  }
  static GroupMemory at(int64_t offset) {
    GroupMemory memory;
    memory[{"t", 0}] = WrittenOffset{TargetOffset(offset), std::nullopt};
    return memory;
  }
  void have(const std::string& group, int64_t offset) {
    StoredEntry entry;
    entry.key = group_memory_key("a", group);
    entry.value = encode(at(offset));
    entry.revision = 3;
    store_.others[entry.key] = entry;
  }
  MemoryLinkStore store_;
  LinkDefinition definition_;
  GroupMemoryStore memory_;
};

ASYNC_TEST_F(GroupMemoryStoreTest, MemoriesOfAllGroupsAreReadPageByPage) {
  store_.page_entries = 10;
  for (int n = 0; n < 35; ++n) have("group/" + std::to_string(n), n);
  auto loaded = co_await memory_.load(soon());
  CO_ASSERT_OK(loaded);
  EXPECT_EQ(store_.pages, 4);
  EXPECT_EQ(memory_.groups().size(), 35U);
  auto read = co_await memory_.read("group/7", soon());
  CO_ASSERT_OK(read);
  EXPECT_EQ(*read, at(7));
  EXPECT_EQ(store_.pages, 4) << "nothing is read twice";
}

ASYNC_TEST_F(GroupMemoryStoreTest, EmptyMemoryHasNoEntryAndCanBeWrittenAgain) {
  auto loaded = co_await memory_.load(soon());
  CO_ASSERT_OK(loaded);
  const std::string key = group_memory_key("a", "g");
  auto nothing = co_await memory_.write("g", GroupMemory(), soon());
  CO_ASSERT_OK(nothing);
  EXPECT_EQ(store_.writes, 0);
  for (int round = 0; round < 2; ++round) {
    auto written = co_await memory_.write("g", at(5), soon());
    CO_ASSERT_OK(written);
    EXPECT_EQ(store_.others.count(key), 1U);
    auto forgotten = co_await memory_.write("g", GroupMemory(), soon());
    CO_ASSERT_OK(forgotten);
    EXPECT_EQ(store_.others.count(key), 0U);
    EXPECT_TRUE(memory_.groups().empty());
  }
}

ASYNC_TEST_F(GroupMemoryStoreTest, MemoryIsReadAgainAfterAWriteWithoutAnAnswer) {
  have("g", 5);
  auto loaded = co_await memory_.load(soon());
  CO_ASSERT_OK(loaded);
  store_.lose_answers = 1;
  auto lost = co_await memory_.write("g", at(9), soon());
  EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
  auto read = co_await memory_.read("g", soon());
  CO_ASSERT_OK(read);
  EXPECT_EQ(*read, at(9));
  auto written = co_await memory_.write("g", at(11), soon());
  CO_ASSERT_OK(written);
}

ASYNC_TEST_F(GroupMemoryStoreTest, GroupWhoseFirstWriteHadNoAnswerIsStillListed) {
  auto loaded = co_await memory_.load(soon());
  CO_ASSERT_OK(loaded);
  store_.lose_answers = 1;
  auto lost = co_await memory_.write("g", at(9), soon());
  EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
  EXPECT_EQ(memory_.groups(), std::vector<std::string>{"g"});
}

}  // namespace
}  // namespace farshore::linker
