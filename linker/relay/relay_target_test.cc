// RelayTarget at the fake Kafka cluster: what it translates and gives up, without records on their way.
#include "linker/relay/relay_target.h"

#include "base/gate.h"
#include "linker/relay/testing/relay_gateway.h"

namespace farshore::linker {
namespace {

class RelayTargetTest : public KafkaFixture {
 protected:
  RelayTargetTest() : link_(link_named("l", 0x11)), topic_(topic_of(link_, "orders", {}, 2)) {
    topic_.id = TargetTopicId(kafka_.add_topic("orders", 2).id);
  }
  LinkPartition key(int32_t partition) { return {link_.id, topic_.source_id, PartitionId(partition)}; }
  std::unique_ptr<RelayTarget> target_of(RelayGateway& gateway) {
    link_.spec.target_cluster_id = ClusterId(kafka_.cluster_id);
    const RelayServices services{gateway.store, gateway.journal, gateway.translations};
    return std::make_unique<RelayTarget>(env_, env_.network(), link_, services);
  }
  Task<void> give_up(RelayTarget& target, TargetTopic topic, int32_t partition) {
    CO_DO(co_await target.give_up(std::move(topic), partition, SourceOffset(15), "refused", soon()));
  }
  Task<void> caught_up(RelayTarget& target) {
    std::map<std::string, std::string> followed;
    CO_DO(co_await target.configs("orders", std::move(followed), true, soon()));
  }
  StoredLink link_;
  RelayTopic topic_;
};

ASYNC_TEST_F(RelayTargetTest, CommitOfAPartitionThatCarriedNothingYetTranslatesToTheBeginning) {
  RelayGateway gateway(*this);
  auto target = target_of(gateway);
  CO_DO(co_await gateway.put(relay_topic_key("l", "orders"), encode(topic_)));
  auto before = co_await target->to_target(key(0), SourceOffset(7));
  CO_ASSERT_OK(before);
  EXPECT_FALSE(*before) << "not taken over: what was relayed is not known";
  CO_DO(co_await gateway.take(key(0)));
  auto empty = co_await target->to_target(key(0), SourceOffset(7));
  CO_ASSERT_OK(empty);
  EXPECT_EQ(*empty, TargetOffset(0));
  gateway.journal.relayed(key(0), run_of(7, 3, 10));
  auto first = co_await target->to_target(key(0), SourceOffset(7));
  CO_ASSERT_OK(first);
  EXPECT_EQ(*first, TargetOffset(3));
  auto beyond = co_await target->to_target(key(0), SourceOffset(30));
  CO_ASSERT_OK(beyond);
  EXPECT_FALSE(*beyond);
  target->close();
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayTargetTest, GivenUpOffsetsAreStoredAndShown) {
  RelayGateway gateway(*this);
  auto target = target_of(gateway);
  CO_DO(co_await gateway.put(relay_topic_key("l", "orders"), encode(topic_)));
  auto adopted = co_await target->adopt(soon());
  CO_ASSERT_OK(adopted);
  CO_ASSERT(adopted->size() == 1);
  CO_DO(co_await gateway.take(key(1)));
  gateway.journal.relayed(key(1), run_of(0, 0, 10));
  TargetTopic topic = adopted->front();
  auto low = co_await target->give_up(topic, 1, SourceOffset(9), "refused", soon());
  EXPECT_ERROR(low, ErrorCode::kInvalidArgument);
  auto unknown = co_await target->give_up(topic, 2, SourceOffset(9), "refused", soon());
  EXPECT_ERROR(unknown, ErrorCode::kInvalidArgument);
  CO_DO(co_await target->give_up(topic, 1, SourceOffset(15), "refused", soon()));
  std::map<std::string, std::string> followed;
  auto plan = co_await target->configs("orders", std::move(followed), true, soon());
  CO_ASSERT_OK(plan);
  CO_ASSERT(plan->drift.size() == 1);
  EXPECT_EQ(plan->drift[0], "records: source offsets 10 to 15 of partition 1 were given up (refused)");
  auto stored = co_await gateway.store.list(relay_topic_key("l", "orders"), soon());
  CO_ASSERT_OK(stored);
  CO_ASSERT(stored->size() == 1);
  EXPECT_EQ(decode_relay_topic(stored->front().value).value().given_up.size(), 1u);
  target->close();
  co_await gateway.stop();
}

ASYNC_TEST_F(RelayTargetTest, ChangesOfOneTopicThatOverlapAreAllKept) {
  RelayGateway gateway(*this);
  auto target = target_of(gateway);
  CO_DO(co_await gateway.put(relay_topic_key("l", "orders"), encode(topic_)));
  auto adopted = co_await target->adopt(soon());
  CO_ASSERT_OK(adopted);
  for (int32_t p = 0; p < 2; ++p) CO_DO(co_await gateway.take(key(p)));
  Gate gate(env_);
  for (int32_t p = 0; p < 2; ++p) spawn(gate, "give up", give_up(*target, adopted->front(), p));
  spawn(gate, "caught up", caught_up(*target));
  co_await gate.close();
  auto stored = co_await gateway.store.list(relay_topic_key("l", "orders"), soon());
  CO_ASSERT_OK(stored);
  const RelayTopic now = decode_relay_topic(stored->front().value).value();
  EXPECT_EQ(now.given_up.size(), 2u);
  EXPECT_TRUE(now.caught_up);
  target->close();
  co_await gateway.stop();
}

}  // namespace
}  // namespace farshore::linker
