#include "offsets/translation/log_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "base/testing/async_test.h"
#include "base/testing/seed.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/fake_kafka.h"

namespace farshore {
namespace {

struct CollectingSink final : TranslationLogSink {
  bool wants(const LinkPartition& key, kafka::ProducerIdentity) override { return !only || key == *only; }
  Task<Status> take(TranslationRecord record) override {
    if (refuse) co_return Error(ErrorCode::kNoSpace, "not one byte is left");
    records.push_back(std::move(record));
    co_return ok();
  }
  std::optional<LinkPartition> only;
  std::vector<TranslationRecord> records;
  bool refuse = false;
};

// A FakeKafka with a log of one partition that is filled as a relay's journal fills it.
class LogReaderTest : public testing::Test {
 public:
  LogReaderTest()
      : world_(options()),
        env_(world_.start_process("reader", "test")),
        broker_env_(world_.start_process("kafka", "broker")),
        kafka_(broker_env_, Endpoint{"kafka", 9092}) {
    world_.spawn(broker_env_, kafka_.run());
    EXPECT_EQ(world_.run_until([&] { return kafka_.listening(); }, seconds(10)), sim::RunEnd::kDone);
    kafka::ClusterOptions cluster;
    cluster.bootstrap.push_back(Endpoint{"kafka", 9092});
    cluster_ = std::make_unique<kafka::ClusterClient>(env_, env_.network(), std::move(cluster));
    kafka_.add_topic(kTranslationTopic, kTranslationLogPartitions);
  }
  ~LogReaderTest() override {
    world_.kill(broker_env_);
    world_.kill(env_);
  }
  static sim::SimOptions options() {
    sim::SimOptions options;
    options.seed = announced_seed(20261129);
    options.buggify = false;
    return options;
  }
  void run(Task<void> task) { EXPECT_TRUE(world_.run(env_, std::move(task), hours(10))); }
  Deadline soon() { return env_.in(seconds(30)); }

  static LinkPartition key(uint8_t number) {
    Uuid link, topic;
    link.bytes.fill(0x11);
    topic.bytes.fill(number);
    LinkPartition out;
    out.link = LinkId(link);
    out.source_topic = SourceTopicId(topic);
    return out;
  }
  static RunRecord run_of(uint8_t topic, int64_t source) {
    RunRecord record;
    record.key = key(topic);
    record.run.source = SourceOffset(source);
    record.run.target = TargetOffset(source + 100);
    record.run.length = 10;
    return record;
  }
  void log(const TranslationRecord& record) {
    auto encoded = encode_translation(record).value();
    std::optional<std::string_view> value;
    if (encoded.value) value = *encoded.value;
    append(std::string_view(encoded.key), value);
  }
  void append(std::optional<std::string_view> record_key, std::optional<std::string_view> value) {
    BatchBuilder builder;
    builder.add(1, record_key, value);
    kafka_.append(kTranslationTopic, 0, builder.build());
  }
  void marker(int64_t producer_id, int16_t epoch) {
    BatchBuilder builder;
    builder.producer(producer_id, epoch, -1).transactional();
    builder.add_marker(ControlType::kAbort, 0, 1);
    kafka_.append(kTranslationTopic, 0, builder.build());
  }
  Offset end() { return Offset(kafka_.partition(kTranslationTopic, 0).end); }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  sim::SimEnv& broker_env_;
  kafka::FakeKafka kafka_;
  std::unique_ptr<kafka::ClusterClient> cluster_;
  SlabArena arena_;
};

ASYNC_TEST_F(LogReaderTest, ReaderHandsOverEachRecordOnceInLogOrder) {
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  std::vector<TranslationRecord> logged;
  for (int64_t round = 0; round < 3; ++round) {  // goes on where it ended
    for (int64_t i = 0; i < 20; ++i) logged.emplace_back(run_of(2, (round * 20 + i) * 10));
    for (size_t i = sink.records.size(); i < logged.size(); ++i) log(logged[i]);
    append(std::nullopt, std::string_view("nobody's"));
    auto done = co_await reader.read_to(end(), sink, soon());
    CO_ASSERT_OK(done);
    EXPECT_TRUE(sink.records == logged) << sink.records.size() << " of " << logged.size();
    EXPECT_EQ(reader.position(), end());
  }
}

ASYNC_TEST_F(LogReaderTest, SinkThatWantsOneKeyIsGivenThatKeyOnly) {
  log(run_of(2, 0));
  log(run_of(3, 0));
  log(run_of(2, 10));
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  sink.only = key(2);
  auto done = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT_OK(done);
  const std::vector<TranslationRecord> expected{run_of(2, 0), run_of(2, 10)};
  EXPECT_TRUE(sink.records == expected) << sink.records.size();
}

ASYNC_TEST_F(LogReaderTest, MarkersOfEveryProducerAreRememberedByTheirHighestEpoch) {
  marker(7, 1);
  log(run_of(2, 0));
  marker(7, 3);
  marker(9, 0);
  marker(7, 2);
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  EXPECT_FALSE(reader.marker_epoch(7));
  auto done = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT_OK(done);
  EXPECT_EQ(reader.marker_epoch(7), int16_t{3});
  EXPECT_EQ(reader.marker_epoch(9), int16_t{0});
  EXPECT_FALSE(reader.marker_epoch(8));
  EXPECT_EQ(sink.records.size(), 1u);
  reader.seek(Offset(0));
  EXPECT_EQ(reader.marker_epoch(7), int16_t{3});  // reading again forgets nothing
}

ASYNC_TEST_F(LogReaderTest, RecordThatCannotBeDecodedIsNamedByPartitionAndOffset) {
  log(run_of(2, 0));
  append(std::string_view("\x00\x63", 2), std::string_view("\x00\x00", 2));
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  auto failed = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT(!failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(failed.error().to_string().find("__farshore_offsets-0 offset 1"), std::string::npos)
      << failed.error().to_string();
  EXPECT_EQ(sink.records.size(), 1u);
}

ASYNC_TEST_F(LogReaderTest, SinkThatRefusesEndsTheReading) {
  log(run_of(2, 0));
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  sink.refuse = true;
  auto failed = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT(!failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNoSpace);
  sink.refuse = false;
  reader.seek(Offset(0));
  auto done = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT_OK(done);
  EXPECT_EQ(sink.records.size(), 1u);
}

ASYNC_TEST_F(LogReaderTest, HoleBelowTheEndEndsTheReading) {
  log(run_of(2, 0));
  TranslationLogReader reader(env_, *cluster_, arena_, 0, Offset(0));
  CollectingSink sink;
  auto done = co_await reader.read_to(end() + 5, sink, soon());
  CO_ASSERT_OK(done);
  EXPECT_EQ(sink.records.size(), 1u);
  log(run_of(2, 10));  // the next reading counts anew
  auto again = co_await reader.read_to(end(), sink, soon());
  CO_ASSERT_OK(again);
  EXPECT_EQ(sink.records.size(), 2u);
}

}  // namespace
}  // namespace farshore
