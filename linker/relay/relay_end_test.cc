// The end of a relayed topic, with records of a fake source in a fake target.
#include "linker/relay/relay_end.h"

#include "base/gate.h"
#include "linker/relay/relay_target.h"
#include "linker/relay/testing/relay_gateway.h"
#include "proto/batch/builder.h"

namespace farshore::linker {
namespace {

struct NoListener final : replicator::PumpListener {
  void pump_caught_up(const LinkPartition&) override {}
  void pump_diverged(const LinkPartition&, replicator::LostRange, bool) override {}
  void pump_retention_gap(const LinkPartition&, SourceOffset, SourceOffset, bool) override {}
  void pump_log_start_moved(const LinkPartition&, SourceOffset) override {}
  void pump_topic_gone(const LinkPartition&, const Error&) override {}
  void pump_failed(const LinkPartition&, const Error&) override {}
};

// Topic `orders` with two partitions of three records each, relayed from "source" into "kafka".
class RelayEndTest : public KafkaFixture {
 public:
  RelayEndTest() : source_kafka_(start_broker("source")), link_(link_named("l", 0x11)) {
    brokers_["source"]->run_until_listening();
    source_kafka_.cluster_id = "source-cluster";
    source_kafka_.add_topic("orders", 2);
    topic_ = topic_of(link_, "orders", TargetTopicId(kafka_.add_topic("orders", 2).id), 2);
    topic_.source_id = SourceTopicId(source_kafka_.topics.at("orders").id);
    for (int32_t p = 0; p < 2; ++p) {
      BatchBuilder builder;
      for (int i = 0; i < 3; ++i) builder.add(1'700'000'000'000, "key", "value");
      source_kafka_.append("orders", p, builder.build());
    }
    link_.spec.target_cluster_id = ClusterId(kafka_.cluster_id);
  }

  kafka::FakeKafka& source_kafka_;
  StoredLink link_;
  RelayTopic topic_;
};

struct RunningRelay {
  explicit RunningRelay(RelayEndTest& t)
      : fixture(t),
        gateway(t),
        target(t.env_, t.env_.network(), t.link_, RelayServices{gateway.store, gateway.journal, gateway.translations}),
        source(t.env_, t.env_.network(), kafka::cluster_at("source")),
        pumps(t.env_, arena, source, target.sink(), t.link_.id, {}, listener),
        gate(t.env_) {}
  Task<void> relay_all() {
    CO_DO(co_await gateway.put(relay_topic_key("l", "orders"), encode(fixture.topic_)));
    auto adopted = co_await target.adopt(fixture.soon());
    CO_ASSERT_OK(adopted);
    request.topic = adopted->front();
    spawn(gate, "replicator", pumps.run());
    for (int32_t p = 0; p < 2; ++p) {
      replicator::PartitionSpec spec;
      spec.source_topic = "orders";
      spec.source_topic_id = fixture.topic_.source_id;
      spec.partition = p;
      spec.target.topic = "orders";
      spec.target.topic_id = fixture.topic_.id;
      request.pumps.push_back(pumps.add(std::move(spec)));
    }
    for (int32_t p = 0; p < 2; ++p)
      for (int i = 0; i < 1000 && fixture.kafka_.partition("orders", p).values().size() < 3; ++i)
        co_await fixture.env_.sleep(milliseconds(20));
    co_await fixture.env_.sleep(seconds(3));  // all is acknowledged and written down
  }
  Task<Result<PromotionRecord>> end() { co_return co_await target.end(request, pumps, fixture.soon()); }
  Task<void> stop() {
    co_await pumps.stop();
    source.close();
    target.close();
    co_await gate.close();
    co_await gateway.stop();
  }

  RelayEndTest& fixture;
  NoListener listener;
  SlabArena arena;
  RelayGateway gateway;
  RelayTarget target;
  kafka::ClusterClient source;
  replicator::Replicator pumps;
  Gate gate;
  EndOfTopic request;
};

ASYNC_TEST_F(RelayEndTest, PartitionWithoutALeaderHoldsUpNoOtherAndEndsWhenItIsBack) {
  RunningRelay relay(*this);
  co_await relay.relay_all();
  kafka_.partition("orders", 1).offline = true;
  relay.request.dry_run = true;
  auto planned = co_await relay.end();
  CO_ASSERT_OK(planned);
  CO_ASSERT(planned->partitions.size() == 2);
  EXPECT_EQ(planned->partitions[1].state, EndState::kOffline);
  relay.request.dry_run = false;
  auto record = co_await relay.end();
  CO_ASSERT_OK(record);
  CO_ASSERT(record->partitions.size() == 2);
  EXPECT_EQ(record->partitions[0].state, EndState::kDone);
  EXPECT_EQ(record->partitions[0].failover_offset, SourceOffset(3));
  EXPECT_EQ(record->partitions[1].state, EndState::kOffline);
  EXPECT_EQ(record->partitions[1].failover_offset, SourceOffset(-1));
  EXPECT_NE(record->partitions[1].note.find("no leader"), std::string::npos) << record->partitions[1].note;
  for (const auto& key : relay.request.pumps) relay.pumps.remove(key);  // as its mirror topic does
  auto adopted = co_await relay.target.adopt(soon());
  CO_ASSERT_OK(adopted);
  EXPECT_EQ(adopted->front().promotion->partitions[1].state, EndState::kOffline);
  kafka_.partition("orders", 1).offline = false;
  adopted = co_await relay.target.adopt(soon());
  CO_ASSERT_OK(adopted);
  const auto ends = adopted->front().promotion->partitions;
  EXPECT_EQ(ends[0], record->partitions[0]);
  EXPECT_EQ(ends[1].state, EndState::kDone);
  EXPECT_EQ(ends[1].failover_offset, SourceOffset(3));
  EXPECT_GE(ends[1].failover_target_offset, TargetOffset(3));
  EXPECT_EQ(ends[1].lost_at_least_records, 0);
  co_await relay.stop();
}

// Nothing is relayed any more, so the end is what was written down; and that cannot be read.
ASYNC_TEST_F(RelayEndTest, PartitionOfTheLogOfRecordWithoutALeaderHoldsUpNoOther) {
  std::vector<int32_t> logs;
  {
    RunningRelay relay(*this);
    co_await relay.relay_all();
    for (const auto& key : relay.request.pumps) {
      auto log = co_await relay.gateway.journal.log_of(key, soon());
      CO_ASSERT_OK(log);
      logs.push_back(log->partition);
    }
    co_await relay.stop();
  }
  CO_ASSERT(logs[0] != logs[1]);
  kafka_.partition(kTranslationTopic, logs[1]).offline = true;
  RunningRelay fresh(*this);
  auto adopted = co_await fresh.target.adopt(soon());
  CO_ASSERT_OK(adopted);
  fresh.request.topic = adopted->front();
  auto record = co_await fresh.target.end(fresh.request, fresh.pumps, env_.in(minutes(5)));
  CO_ASSERT_OK(record);
  CO_ASSERT(record->partitions.size() == 2);
  EXPECT_EQ(record->partitions[0].state, EndState::kDone);
  EXPECT_EQ(record->partitions[0].failover_offset, SourceOffset(3));
  EXPECT_EQ(record->partitions[0].blind_window_ms, -1) << "this gateway has never heard the source";
  EXPECT_EQ(record->partitions[1].state, EndState::kOffline);
  EXPECT_EQ(record->partitions[1].blind_window_ms, -1);
  kafka_.partition(kTranslationTopic, logs[1]).offline = false;
  adopted = co_await fresh.target.adopt(soon());
  CO_ASSERT_OK(adopted);
  EXPECT_EQ(adopted->front().promotion->partitions[1].failover_offset, SourceOffset(3));
  co_await fresh.stop();
}

}  // namespace
}  // namespace farshore::linker
