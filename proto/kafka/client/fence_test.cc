// The fence and the search for its marker, against FakeKafka on the simulated network.
#include "proto/kafka/client/fence.h"

#include <gtest/gtest.h>

#include "base/contract/harness.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/fake_kafka.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {
namespace {

constexpr char kId[] = "farshore.test";

uint64_t announced_seed() {
  uint64_t seed = 20261126;
  if (const char* given = std::getenv("FARSHORE_SEED")) seed = std::stoull(given);
  std::cout << "seed: FARSHORE_SEED=" << seed << "\n";
  return seed;
}

class FenceTest : public testing::Test {
 public:
  FenceTest()
      : world_(options()),
        env_(world_.start_process("gateway", "test")),
        broker_env_(world_.start_process("kafka", "broker")),
        kafka_(broker_env_, Endpoint{"kafka", 9092}) {
    kafka_.add_topic("data", 2);
    kafka_.add_topic("log", 1);
    world_.spawn(broker_env_, kafka_.run());
    EXPECT_EQ(world_.run_until([&] { return kafka_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    ClusterOptions cluster;
    cluster.bootstrap.push_back(Endpoint{"kafka", 9092});
    cluster_ = std::make_unique<ClusterClient>(env_, env_.network(), std::move(cluster));
  }
  ~FenceTest() override {
    world_.kill(broker_env_);
    world_.kill(env_);
  }

  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = announced_seed();
    options.buggify = false;
    return options;
  }
  void play(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), seconds(300))); }
  Deadline soon() { return env_.in(seconds(30)); }
  static std::vector<TopicPartition> both() { return {{"data", 0}, {"log", 0}}; }

  // fence(), and until its markers are there: they come a while later.
  Task<Result<ProducerIdentity>> take_over() {
    auto owner = co_await fence(*cluster_, kId, both(), soon());
    while (kafka_.transactional_ids[kId].ending) co_await env_.sleep(milliseconds(1));
    co_return owner;
  }

  // One record, idempotent; Kafka's error code.
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

  sim::SimWorld world_;
  sim::SimEnv& env_;
  sim::SimEnv& broker_env_;
  FakeKafka kafka_;
  SlabArena arena_;
  std::unique_ptr<ClusterClient> cluster_;
};

TEST_F(FenceTest, TheFormerOwnerIsRefusedAndTheNewOneBeginsAtSequenceZero) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      auto first = co_await t.take_over();
      CO_ASSERT_OK(first);
      auto written = co_await t.produce(*first, 0, "a");
      CO_ASSERT_OK(written);
      EXPECT_EQ(*written, 0);
      auto second = co_await t.take_over();
      CO_ASSERT_OK(second);
      EXPECT_EQ(second->id, first->id);
      EXPECT_GT(second->epoch, first->epoch);
      auto late = co_await t.produce(*first, 1, "late");
      CO_ASSERT_OK(late);
      EXPECT_EQ(*late, static_cast<int16_t>(ErrorCode::kInvalidProducerEpoch));
      auto fresh = co_await t.produce(*second, 0, "b");
      CO_ASSERT_OK(fresh);
      EXPECT_EQ(*fresh, 0);
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, EverythingBeforeTheMarkerIsShownAndNothingBehindIt) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      auto first = co_await t.take_over();
      CO_ASSERT_OK(first);
      for (int32_t i = 0; i < 3; ++i) {
        auto written = co_await t.produce(*first, i, "old");
        CO_ASSERT_OK(written);
        EXPECT_EQ(*written, 0);
      }
      auto second = co_await t.take_over();
      CO_ASSERT_OK(second);
      auto written = co_await t.produce(*second, 0, "new");
      CO_ASSERT_OK(written);

      TopicPartition where{"data", 0};
      PartitionReader reader(t.env_, *t.cluster_, t.arena_, std::move(where), Offset(0));
      std::vector<BatchHeader> seen;
      OnBatch collect = [&seen](const BatchHeader& header, const SliceList&, size_t) {
        seen.push_back(header);
        return ok();
      };
      auto found = co_await find_marker(*t.cluster_, reader, *second, std::move(collect), t.soon());
      CO_ASSERT_OK(found);
      EXPECT_EQ(seen.size(), 4u);  // the first takeover's marker and three batches
      EXPECT_TRUE(seen.front().control());
      EXPECT_EQ(found->marker, Offset(4));
      EXPECT_EQ(found->scanned_from, Offset(0));
      EXPECT_EQ(reader.position(), Offset(5));
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, AScanThatBeginsOutsideTheLogBeginsAtItsStart) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      auto first = co_await t.take_over();
      CO_ASSERT_OK(first);
      for (int32_t i = 0; i < 3; ++i) (void)co_await t.produce(*first, i, "old");
      t.kafka_.partition("data", 0).delete_records(2);
      auto second = co_await t.take_over();
      CO_ASSERT_OK(second);
      for (int64_t from : {0, 1000}) {
        TopicPartition where{"data", 0};
        PartitionReader reader(t.env_, *t.cluster_, t.arena_, std::move(where), Offset(from));
        auto found = co_await find_marker(*t.cluster_, reader, *second, nullptr, t.soon());
        CO_ASSERT_OK(found);
        EXPECT_EQ(found->scanned_from, Offset(2));
        EXPECT_EQ(found->log_start, Offset(2));
        EXPECT_EQ(found->marker, Offset(4));
      }
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, LostAnswersAndConcurrentTransactionsAreRepeated) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      t.kafka_.answers_concurrent_transactions = 3;
      std::map<int16_t, int> lost;
      t.kafka_.fate = [&lost](int16_t key) {
        const bool transactional = key == 22 || key == 24 || key == 26;
        return transactional && lost[key]++ < 2 ? FakeKafka::Fate::kLoseAnswer : FakeKafka::Fate::kAnswer;
      };
      auto owner = co_await fence(*t.cluster_, kId, both(), t.soon());
      CO_ASSERT_OK(owner);
      EXPECT_EQ(owner->epoch, 2);  // raised by the two that were lost, too
      TopicPartition where{"log", 0};
      PartitionReader reader(t.env_, *t.cluster_, t.arena_, std::move(where), Offset(0));
      auto found = co_await find_marker(*t.cluster_, reader, *owner, nullptr, t.soon());
      CO_ASSERT_OK(found);
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, ATransactionThatAnEarlierGatewayLeftOpenIsEndedFirst) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      auto first = co_await t.take_over();
      CO_ASSERT_OK(first);
      t.kafka_.transactional_ids[kId].partitions = {{"data", 1}};  // added, and died before EndTxn
      auto second = co_await t.take_over();
      CO_ASSERT_OK(second);
      EXPECT_EQ(second->epoch, first->epoch + 2);
      EXPECT_EQ(t.kafka_.partition("data", 1).end, 1);
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, APartitionThatIsNotThereIsSaid) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      std::vector<TopicPartition> partitions{{"data", 7}, {"log", 0}};
      auto owner = co_await fence(*t.cluster_, kId, std::move(partitions), t.soon());
      EXPECT_ERROR(owner, farshore::ErrorCode::kNotFound);
    }
  };
  play(Play::run(*this));
}

TEST_F(FenceTest, ASilentClusterEndsAtTheDeadline) {
  struct Play {
    static Task<void> run(FenceTest& t) {
      t.kafka_.fate = [](int16_t) { return FakeKafka::Fate::kLoseRequest; };
      auto owner = co_await fence(*t.cluster_, kId, both(), t.soon());
      EXPECT_FALSE(owner);
    }
  };
  play(Play::run(*this));
}

}  // namespace
}  // namespace farshore::kafka
