#include "linker/store/link_definition.h"

#include "linker/store/testing/kafka_fixture.h"
#include "linker/store/testing/memory_link_store.h"

namespace farshore::linker {
namespace {

class LinkDefinitionTest : public KafkaFixture {
 public:
  LinkDefinitionTest() {
    link_.id = LinkId{{1}};
    link_.epoch = LinkEpoch(4);
    link_.spec.name = "a";
    link_.spec.source = {Endpoint{"east", 9092}};
    link_.spec.target = {Endpoint{"kafka", 9092}};
    store_.stored.key = link_key("a");
    store_.stored.value = encode(link_);
    store_.stored.revision = 1;
    definition_ = std::make_unique<LinkDefinition>(env_, store_, link_, 1);
  }
  static LinkDefinition::Edit pause_topic(std::string topic) {
    return [topic = std::move(topic)](StoredLink& link) {
      link.paused_topics.push_back(topic);
      return ok();
    };
  }
  void take_over_elsewhere() {
    link_.epoch = LinkEpoch(5);
    store_.stored.value = encode(link_);
    ++store_.stored.revision;
  }

  StoredLink link_;
  MemoryLinkStore store_;
  std::unique_ptr<LinkDefinition> definition_;
};

ASYNC_TEST_F(LinkDefinitionTest, UpdateStoresTheEditAndReturnsTheDefinitionBefore) {
  auto before = co_await definition_->update(pause_topic("orders"), soon());
  CO_ASSERT_OK(before);
  EXPECT_EQ(*before, link_);
  EXPECT_TRUE(definition_->topic_paused("orders"));
  EXPECT_EQ(decode_stored_link(store_.stored.value).value(), definition_->link());
  EXPECT_EQ(definition_->revision(), store_.stored.revision);
}

ASYNC_TEST_F(LinkDefinitionTest, RefusedEditStoresNothing) {
  LinkDefinition::Edit refuse = [](StoredLink&) -> Status { return Error(ErrorCode::kInvalidArgument); };
  auto refused = co_await definition_->update(std::move(refuse), soon());
  EXPECT_ERROR(refused, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_.writes, 0);
}

ASYNC_TEST_F(LinkDefinitionTest, UpdateAfterALostAnswerReadsTheStoredDefinitionFirst) {
  store_.lose_answers = 1;
  auto lost = co_await definition_->update(pause_topic("orders"), soon());
  EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
  EXPECT_FALSE(definition_->topic_paused("orders"));
  auto next = co_await definition_->update(pause_topic("payments"), soon());
  CO_ASSERT_OK(next);
  EXPECT_TRUE(definition_->topic_paused("orders"));
  EXPECT_TRUE(definition_->topic_paused("payments"));
}

ASYNC_TEST_F(LinkDefinitionTest, ForgetAfterALostAnswerReadsTheStoredDefinitionFirst) {
  store_.lose_answers = 1;
  auto lost = co_await definition_->update(pause_topic("orders"), soon());
  EXPECT_ERROR(lost, ErrorCode::kConnectionReset);
  auto forgotten = co_await definition_->forget(soon());
  CO_ASSERT_OK(forgotten);
  EXPECT_EQ(store_.stored.value, "");
}

ASYNC_TEST_F(LinkDefinitionTest, ForgetOfALinkThatAnotherGatewayHasTakenOverDeletesNothing) {
  store_.others["link/a/group/g"] = entry("link/a/group/g", "{}", 3);
  take_over_elsewhere();
  auto refused = co_await definition_->forget(soon());
  EXPECT_ERROR(refused, ErrorCode::kConflict);
  EXPECT_NE(store_.stored.value, "");
  EXPECT_EQ(store_.others.size(), 1U);
}

// A link of that name is made by another gateway as soon as the name is free.
ASYNC_TEST_F(LinkDefinitionTest, ForgetLeavesWhatALinkOfThatNameHasWrittenSince) {
  for (const char* key : {"link/a/group/both", "link/a/group/old"}) store_.others[key] = entry(key, "{}", 3);
  store_.written = [this](const std::string& key) {
    if (key != "link/a") return;
    for (const char* of_new_link : {"link/a/group/both", "link/a/group/new"})
      store_.others[of_new_link] = entry(of_new_link, "{}", 9);
  };
  auto forgotten = co_await definition_->forget(soon());
  CO_ASSERT_OK(forgotten);
  EXPECT_EQ(store_.others.count("link/a/group/old"), 0U);
  EXPECT_EQ(store_.others.count("link/a/group/both"), 1U);
  EXPECT_EQ(store_.others.count("link/a/group/new"), 1U);
}

ASYNC_TEST_F(LinkDefinitionTest, UpdateIsAConflictWhenAnotherGatewayHasRaisedTheEpoch) {
  take_over_elsewhere();
  auto refused = co_await definition_->update(pause_topic("orders"), soon());
  EXPECT_ERROR(refused, ErrorCode::kConflict);
  auto ours = co_await definition_->stored_if_ours(soon());
  EXPECT_ERROR(ours, ErrorCode::kConflict);
}

}  // namespace
}  // namespace farshore::linker
