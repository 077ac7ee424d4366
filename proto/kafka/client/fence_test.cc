// The fence and the search for its marker, against FakeKafka on the simulated network.
#include "proto/kafka/client/fence.h"

#include "proto/batch/builder.h"
#include "proto/kafka/client/id_owner.h"
#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {
namespace {

constexpr char kId[] = "farshore.test";

class FenceTest : public KafkaFixture {
 public:
  FenceTest() {
    kafka_.add_topic("data", 2);
    kafka_.add_topic("log", 1);
  }
  static std::vector<TopicPartition> both() { return {{"data", 0}, {"log", 0}}; }

  // fence(), then waits until its markers are written.
  Task<Result<ProducerIdentity>> take_over() {
    auto owner = co_await fence(*cluster_, kId, both(), soon());
    while (kafka_.transactional_ids[kId].ending) co_await env_.sleep(milliseconds(1));
    co_return owner;
  }

  // Produces one record with `sequence`. Returns Kafka's error code.
  Task<Result<int16_t>> produce(ProducerIdentity as, int32_t sequence, std::string value) {
    BatchBuilder builder;
    builder.producer(as.id, as.epoch, sequence).add(1, std::nullopt, value);
    std::vector<std::byte> bytes = builder.build();
    ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 1000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "data";
    auto& data = topic.partition_data.emplace_back();
    data.index = 0;
    data.records = Records::view(bytes);
    TopicPartition where{"data", 0};
    CO_TRY(auto leader, co_await cluster_->leader(std::move(where), soon()));
    CO_TRY(auto client, co_await cluster_->broker(leader.broker, soon()));
    CO_TRY(auto response, co_await client->call(std::move(request), soon(), 12));
    co_return response.responses.front().partition_responses.front().error_code;
  }

  SlabArena arena_;
};

ASYNC_TEST_F(FenceTest, FormerOwnerIsRefusedAfterATakeover) {
  auto first = co_await take_over();
  CO_ASSERT_OK(first);
  auto written = co_await produce(*first, 0, "a");
  CO_ASSERT_OK(written);
  EXPECT_EQ(*written, 0);
  auto second = co_await take_over();
  CO_ASSERT_OK(second);
  EXPECT_EQ(second->id, first->id);
  EXPECT_GT(second->epoch, first->epoch);
  auto late = co_await produce(*first, 1, "late");
  CO_ASSERT_OK(late);
  EXPECT_EQ(*late, static_cast<int16_t>(ErrorCode::kInvalidProducerEpoch));
  auto fresh = co_await produce(*second, 0, "b");
  CO_ASSERT_OK(fresh);
  EXPECT_EQ(*fresh, 0);
}

ASYNC_TEST_F(FenceTest, FindMarkerShowsAllBatchesBeforeTheMarkerAndNoneBehind) {
  auto first = co_await take_over();
  CO_ASSERT_OK(first);
  for (int32_t i = 0; i < 3; ++i) {
    auto written = co_await produce(*first, i, "old");
    CO_ASSERT_OK(written);
    EXPECT_EQ(*written, 0);
  }
  auto second = co_await take_over();
  CO_ASSERT_OK(second);
  auto written = co_await produce(*second, 0, "new");
  CO_ASSERT_OK(written);

  TopicPartition where{"data", 0};
  PartitionReader reader(env_, *cluster_, arena_, std::move(where), Offset(0));
  std::vector<BatchHeader> seen;
  OnBatch collect = [&seen](const BatchHeader& header, const SliceList&, size_t) {
    seen.push_back(header);
    return ok();
  };
  auto found = co_await find_marker(*cluster_, reader, *second, std::move(collect), soon());
  CO_ASSERT_OK(found);
  EXPECT_EQ(seen.size(), 4u);  // the first takeover's marker and three batches
  EXPECT_TRUE(seen.front().control());
  EXPECT_EQ(found->marker, Offset(4));
  EXPECT_EQ(found->scanned_from, Offset(0));
  EXPECT_EQ(reader.position(), Offset(5));
}

ASYNC_TEST_F(FenceTest, FindMarkerBeginsAtTheLogStartIfThePositionIsOutside) {
  auto first = co_await take_over();
  CO_ASSERT_OK(first);
  for (int32_t i = 0; i < 3; ++i) (void)co_await produce(*first, i, "old");
  kafka_.partition("data", 0).delete_records(2);
  auto second = co_await take_over();
  CO_ASSERT_OK(second);
  for (int64_t from : {0, 1000}) {
    TopicPartition where{"data", 0};
    PartitionReader reader(env_, *cluster_, arena_, std::move(where), Offset(from));
    auto found = co_await find_marker(*cluster_, reader, *second, nullptr, soon());
    CO_ASSERT_OK(found);
    EXPECT_EQ(found->scanned_from, Offset(2));
    EXPECT_EQ(found->log_start, Offset(2));
    EXPECT_EQ(found->marker, Offset(4));
  }
}

ASYNC_TEST_F(FenceTest, RepeatsCallsAfterLostAnswersAndConcurrentTransactions) {
  kafka_.answers_concurrent_transactions = 3;
  std::map<int16_t, int> lost;
  kafka_.fate = [&lost](int16_t key) {
    const bool transactional = key == 22 || key == 24 || key == 26;
    return transactional && lost[key]++ < 2 ? FakeKafka::Fate::kLoseAnswer : FakeKafka::Fate::kAnswer;
  };
  auto owner = co_await fence(*cluster_, kId, both(), soon());
  CO_ASSERT_OK(owner);
  EXPECT_EQ(owner->epoch, 2);  // the two lost requests raised it too
  TopicPartition where{"log", 0};
  PartitionReader reader(env_, *cluster_, arena_, std::move(where), Offset(0));
  auto found = co_await find_marker(*cluster_, reader, *owner, nullptr, soon());
  CO_ASSERT_OK(found);
}

ASYNC_TEST_F(FenceTest, EndsATransactionThatAnEarlierOwnerLeftOpen) {
  auto first = co_await take_over();
  CO_ASSERT_OK(first);
  kafka_.transactional_ids[kId].partitions = {{"data", 1}};  // added, and died before EndTxn
  auto second = co_await take_over();
  CO_ASSERT_OK(second);
  EXPECT_EQ(second->epoch, first->epoch + 2);
  EXPECT_EQ(kafka_.partition("data", 1).end, 1);
}

ASYNC_TEST_F(FenceTest, FailsWithNotFoundIfAPartitionDoesNotExist) {
  std::vector<TopicPartition> partitions{{"data", 7}, {"log", 0}};
  auto owner = co_await fence(*cluster_, kId, std::move(partitions), soon());
  EXPECT_ERROR(owner, farshore::ErrorCode::kNotFound);
}

ASYNC_TEST_F(FenceTest, FailsAtTheDeadlineIfTheClusterIsSilent) {
  kafka_.fate = [](int16_t) { return FakeKafka::Fate::kLoseRequest; };
  auto owner = co_await fence(*cluster_, kId, both(), soon());
  EXPECT_FALSE(owner);
}

ASYNC_TEST_F(FenceTest, OwnerOfAnIdIsTheLastWhoTookItOver) {
  std::vector<std::string> ids{kId, "farshore.other"};
  auto before = co_await id_owners(*cluster_, ids, soon());
  CO_ASSERT_OK(before);
  CO_ASSERT(before->size() == 2);
  EXPECT_FALSE(before->at(kId)) << "nobody has used it";
  auto first = co_await take_over();
  CO_ASSERT_OK(first);
  auto second = co_await take_over();
  CO_ASSERT_OK(second);
  auto after = co_await id_owners(*cluster_, ids, soon());
  CO_ASSERT_OK(after);
  EXPECT_TRUE(after->at(kId) == *second);
  kafka_.transactional_ids.clear();  // expired
  after = co_await id_owners(*cluster_, ids, soon());
  CO_ASSERT_OK(after);
  EXPECT_FALSE(after->at(kId));
}

ASYNC_TEST_F(FenceTest, OwnerIsLeftOutWhileTheCoordinatorDoesNotAnswer) {
  auto owner = co_await take_over();
  CO_ASSERT_OK(owner);
  kafka_.fate = [](int16_t key) { return key == 65 ? FakeKafka::Fate::kLoseRequest : FakeKafka::Fate::kAnswer; };
  std::vector<std::string> ids{kId};
  auto owners = co_await id_owners(*cluster_, ids, soon());
  CO_ASSERT_OK(owners);
  EXPECT_TRUE(owners->empty());
}

ASYNC_TEST_F(FenceTest, OwnerRaisesItsEpochUntilSomebodyElseHas) {
  auto owner = co_await take_over();
  CO_ASSERT_OK(owner);
  auto raised = co_await raise_own_epoch(*cluster_, kId, *owner, soon());
  CO_ASSERT_OK(raised);
  EXPECT_EQ(raised->id, owner->id);
  EXPECT_EQ(raised->epoch, owner->epoch + 1);
  auto again = co_await raise_own_epoch(*cluster_, kId, *owner, soon());  // its answer was lost
  CO_ASSERT_OK(again);
  EXPECT_TRUE(*again == *raised);
  auto other = co_await raise_epoch(*cluster_, kId, soon());
  CO_ASSERT_OK(other);
  for (const ProducerIdentity& former : {*owner, *raised}) {
    auto late = co_await raise_own_epoch(*cluster_, kId, former, soon());
    EXPECT_ERROR(late, farshore::ErrorCode::kFenced);
  }
  kafka_.transactional_ids.clear();  // expired
  auto anew = co_await raise_own_epoch(*cluster_, kId, *other, soon());
  CO_ASSERT_OK(anew);
  EXPECT_NE(anew->id, owner->id);
}

// One coordinator is away. The first id in order is its own, so that all others would come after it.
ASYNC_TEST_F(FenceTest, OwnersOfOtherIdsAreToldWhileOneCoordinatorIsAway) {
  auto owner = co_await take_over();
  CO_ASSERT_OK(owner);
  const std::string away = "a.coordinator.that.is.away";
  kafka_.answer = [&](FakeKafka::Call& call) {
    if (call.key() != FindCoordinatorRequest::kApiKey) return false;
    auto request = call.decode<FindCoordinatorRequest>();
    FindCoordinatorResponse response;
    for (const std::string& key : request.coordinator_keys) {
      auto& each = response.coordinators.emplace_back();
      each.key = key;
      each.node_id = 1;
      each.host = "kafka";
      each.port = kPort;
      if (key == away) each.error_code = static_cast<int16_t>(ErrorCode::kCoordinatorNotAvailable);
    }
    call.reply(response);
    return true;
  };
  auto fresh = connect(env_);
  std::vector<std::string> ids{away, kId};
  const MonoTime before = env_.now();
  auto owners = co_await id_owners(*fresh, ids, env_.in(seconds(5)));
  EXPECT_LT(env_.now() - before, seconds(4));
  kafka_.answer = nullptr;
  CO_ASSERT_OK(owners);
  CO_ASSERT(owners->size() == 1);
  EXPECT_TRUE(owners->at(kId) == *owner);
  fresh->close();
}

ASYNC_TEST_F(FenceTest, LifetimeOfAnIdIsTheBrokersConfig) {
  auto none = co_await id_lifetime(*cluster_, soon());
  EXPECT_ERROR(none, farshore::ErrorCode::kNotFound);
  kafka_.broker_configs["transactional.id.expiration.ms"] = "604800000";
  auto lifetime = co_await id_lifetime(*cluster_, soon());
  CO_ASSERT_OK(lifetime);
  EXPECT_EQ(*lifetime, hours(7 * 24));
}

}  // namespace
}  // namespace farshore::kafka
