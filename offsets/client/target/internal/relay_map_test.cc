// RelayMap against a FakeKafka, whose topics the tests fill as a relay link does.
#include "offsets/client/target/internal/relay_map.h"

#include <array>

#include "proto/batch/builder.h"
#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/link/group_memory.h"
#include "proto/link/relay_topic.h"

namespace farshore::client {
namespace {

using Direction = RelayDirection;

class RelayMapTest : public kafka::KafkaFixture {
 public:
  RelayMapTest() : KafkaFixture("app") {
    Uuid link, topic;
    link.bytes.fill(0x11);
    topic.bytes.fill(0x22);
    key_.link = LinkId(link);
    key_.source_topic = SourceTopicId(topic);
  }

  void add_topics() {
    kafka_.add_topic("__farshore_links", 1);
    kafka_.add_topic(kTranslationTopic, kTranslationLogPartitions);
    kafka_.add_topic("east.orders", 1);
    store_link("link/e2w/topic/east.orders", link_json(false));
  }
  RelayTopic relay_topic() const {
    RelayTopic topic;
    topic.link = key_.link;
    topic.topic = "east.orders";
    topic.source_topic = "orders";
    topic.source_id = key_.source_topic;
    topic.partitions = 1;
    return topic;
  }
  std::string link_json(bool ended, int version = 1) const {
    RelayTopic topic = relay_topic();
    if (ended) topic.promotion.emplace();
    std::string json = encode(topic);
    json.replace(json.find("\"v\":1"), 5, "\"v\":" + std::to_string(version));
    return json;
  }
  void store_link(const std::string& key, const std::string& value) {
    BatchBuilder builder;
    builder.add(1, std::string_view(key), std::string_view(value));
    kafka_.append("__farshore_links", 0, builder.build());
  }
  void log(const TranslationRecord& record) {
    auto encoded = encode_translation(record).value();
    std::optional<std::string_view> value;
    if (encoded.value) value = *encoded.value;
    BatchBuilder builder;
    builder.add(1, std::string_view(encoded.key), value);
    kafka_.append(kTranslationTopic, translation_log_partition(key_), builder.build());
  }
  void log_run(int64_t source, int64_t target, int64_t length) {
    RunRecord record;
    record.key = key_;
    record.run.source = SourceOffset(source);
    record.run.target = TargetOffset(target);
    record.run.length = length;
    record.run.source_epoch = LogEpoch(4);
    log(record);
  }
  void log_anchor(kafka::ProducerIdentity producer, int32_t sequence, int64_t source) {
    AnchorRecord record;
    record.key = key_;
    record.anchor.producer = producer;
    record.anchor.sequence = sequence;
    record.anchor.source = SourceOffset(source);
    record.anchor.source_epoch = LogEpoch(4);
    record.anchor.target_from = TargetOffset(kafka_.partition("east.orders", 0).end);
    log(record);
  }
  int64_t append(std::optional<kafka::ProducerIdentity> producer, int32_t sequence, int64_t records) {
    BatchBuilder builder;
    if (producer) builder.producer(producer->id, producer->epoch, sequence);
    for (int64_t i = 0; i < records; ++i) builder.add(1, std::nullopt, std::string_view("v"));
    return kafka_.append("east.orders", 0, builder.build());
  }
  void marker(kafka::ProducerIdentity producer) {
    BatchBuilder builder;
    builder.producer(producer.id, producer.epoch, -1).transactional();
    builder.add_marker(ControlType::kAbort, 0, 1);
    kafka_.append("east.orders", 0, builder.build());
  }

  static Task<Result<RelayAnswer>> ask(RelayMap& map, Deadline deadline, Direction direction, int64_t offset,
                                       std::string link = "") {
    RelayQuestion question;
    question.link = std::move(link);
    question.topic = direction == Direction::kToTarget ? "orders" : "east.orders";
    question.offset = offset;
    question.direction = direction;
    co_return co_await map.ask(std::move(question), deadline);
  }

  // Every offset up to `source_end`, in both directions.
  Task<void> expect_all(RelayMap& map, std::map<int64_t, int64_t> wanted, int64_t source_end) {
    if (wanted.empty()) co_return;
    for (int64_t source = wanted.begin()->first; source <= source_end; ++source) {
      auto got = co_await ask(map, soon(), Direction::kToTarget, source);
      CO_ASSERT_OK(got);
      auto next = wanted.lower_bound(source);
      const bool exact = next != wanted.end() ? next->first == source : true;
      EXPECT_EQ(got->offset, next != wanted.end() ? next->second : wanted.rbegin()->second + 1) << source;
      EXPECT_EQ(got->exact, exact) << source;
      EXPECT_EQ(got->limit, source_end);
    }
    for (const auto& [source, target] : wanted) {
      auto back = co_await ask(map, soon(), Direction::kToSource, target);
      CO_ASSERT_OK(back);
      EXPECT_EQ(back->offset, source) << "target " << target;
      EXPECT_EQ(back->topic, "orders");
    }
    auto beyond = co_await ask(map, soon(), Direction::kToTarget, source_end + 1);
    EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
    EXPECT_EQ(map.limit(), source_end);
  }

  LinkPartition key_;
};

// A random relay: runs that are logged, partly or not at all, takeovers with their markers, gaps at the source, foreign
// records. One map is asked again and again, and a new one each time.
ASYNC_TEST_F(RelayMapTest, EveryOffsetTranslatesWhetherItsRunIsLoggedOrNot) {
  add_topics();
  Random& random = world_.random();
  RelayMap old(env_, *cluster_);
  std::map<int64_t, int64_t> wanted;
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 0;
  int64_t source = 100, run_source = 0, run_target = 0, run_length = 0;
  int32_t sequence = 0;
  bool anchored = false;
  std::vector<std::array<int64_t, 3>> closed;  // not logged yet
  auto log_open_runs = [&] {
    if (run_length > 0) closed.push_back({run_source, run_target, run_length});
    for (const auto& run : closed) log_run(run[0], run[1], run[2]);
    closed.clear();
  };
  for (int step = 0; step < 60; ++step) {
    if (random.chance(0.15)) {  // a takeover: open runs are logged, then a new epoch begins
      log_open_runs();
      run_length = 0;
      ++producer.epoch;
      marker(producer);
      sequence = 0;
      anchored = false;
    }
    if (random.chance(0.2)) {  // a gap at the source
      source += random.between(1, 3);
      anchored = false;
    }
    if (random.chance(0.3)) append(std::nullopt, -1, random.between(1, 3));
    if (!anchored) log_anchor(producer, sequence, source);
    anchored = true;
    const int64_t records = random.between(1, 5);
    const int64_t target = append(producer, sequence, records);
    if (run_length > 0 && run_source + run_length == source && run_target + run_length == target) {
      run_length += records;
    } else {
      if (run_length > 0) closed.push_back({run_source, run_target, run_length});
      run_source = source;
      run_target = target;
      run_length = records;
    }
    if (random.chance(0.2)) log_open_runs();  // a checkpoint
    for (int64_t i = 0; i < records; ++i) wanted[source + i] = target + i;
    source += records;
    sequence += static_cast<int32_t>(records);
    if (step % 6 != 5) continue;
    co_await expect_all(old, wanted, source);
    RelayMap fresh(env_, *cluster_);
    co_await expect_all(fresh, wanted, source);
    if (testing::Test::HasFailure()) co_return;
  }
}

ASYNC_TEST_F(RelayMapTest, MissingLinksTopicsAndOffsetsAreNamedInErrors) {
  RelayMap map(env_, *cluster_);
  auto none = co_await ask(map, soon(), Direction::kToTarget, 0);
  EXPECT_ERROR(none, ErrorCode::kNotFound);
  EXPECT_NE(none.error().detail.find("__farshore_links"), std::string::npos) << none.error().detail;
  add_topics();
  none = co_await ask(map, soon(), Direction::kToTarget, 0);
  EXPECT_ERROR(none, ErrorCode::kNotFound);  // nothing was relayed yet
  none = co_await ask(map, soon(), Direction::kToTarget, 0, "w2e");
  EXPECT_ERROR(none, ErrorCode::kNotFound);
  EXPECT_NE(none.error().detail.find("w2e"), std::string::npos) << none.error().detail;
  log_run(10, 0, 5);
  append(std::nullopt, -1, 5);
  none = co_await ask(map, soon(), Direction::kToTarget, 3);
  EXPECT_ERROR(none, ErrorCode::kOutOfRange);
  auto found = co_await ask(map, soon(), Direction::kToTarget, 12);
  CO_ASSERT_OK(found);
  EXPECT_EQ(found->offset, 2);
  EXPECT_EQ(found->topic, "east.orders");
  EXPECT_FALSE(found->ended);
  store_link("link/other/topic/other.orders", link_json(false));
  none = co_await ask(map, soon(), Direction::kToTarget, 12);
  EXPECT_ERROR(none, ErrorCode::kConflict);
  found = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  CO_ASSERT_OK(found);
  store_link("link/e2w/topic/east.orders", link_json(true));
  found = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  CO_ASSERT_OK(found);
  EXPECT_TRUE(found->ended);
  store_link("link/e2w/topic/east.orders", link_json(false, 2));
  none = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  EXPECT_ERROR(none, ErrorCode::kUnsupported);
}

ASYNC_TEST_F(RelayMapTest, EndedTopicHasItsEndInOffsetsOfBothClusters) {
  RelayMap map(env_, *cluster_);
  auto none = co_await map.topics(soon());  // no relay link was ever made to this cluster
  CO_ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
  add_topics();
  auto found = co_await map.topics(soon());
  CO_ASSERT_OK(found);
  CO_ASSERT(found->count("east.orders") == 1);
  EXPECT_FALSE(found->at("east.orders").ended);
  EXPECT_EQ(found->at("east.orders").link, "e2w");
  RelayTopic topic = relay_topic();
  PromotionRecord::PartitionEnd end;
  end.failover_offset = SourceOffset(15);
  end.failover_target_offset = TargetOffset(40);
  topic.promotion.emplace().kind = PromotionKind::kPromote;
  topic.promotion->partitions.push_back(end);
  store_link("link/e2w/topic/east.orders", encode(topic));
  store_link("link/e2w/group/readers/topic/x", encode(GroupMemory()));  // a group id may hold a '/'
  found = co_await map.topics(soon());
  CO_ASSERT_OK(found);
  const RelayedTopic& ended = found->at("east.orders");
  EXPECT_TRUE(ended.ended && ended.promoted);
  CO_ASSERT(ended.ends.count(0) == 1);
  EXPECT_EQ(ended.ends.at(0).source, 15);
  EXPECT_EQ(ended.ends.at(0).target, 40);
}

ASYNC_TEST_F(RelayMapTest, OffsetBelowAllRunsGivesTheFirstRecordIfAsked) {
  add_topics();
  append(std::nullopt, -1, 30);
  log_run(10, 3, 5);
  log_run(20, 12, 5);
  RelayMap map(env_, *cluster_);
  for (const auto& [source, target] : {std::pair(0, 3), std::pair(9, 3), std::pair(11, 4), std::pair(17, 12)}) {
    RelayQuestion question;
    question.topic = "orders";
    question.offset = source;
    question.below_is_first = true;
    auto got = co_await map.ask(std::move(question), soon());
    CO_ASSERT_OK(got);
    EXPECT_EQ(got->offset, target) << source;
    EXPECT_EQ(got->exact, source == 11) << source;
  }
}

ASYNC_TEST_F(RelayMapTest, BatchesOfAnOlderProducerEpochKeepTheirOwnOffsets) {
  add_topics();
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 1;
  log_anchor(producer, 0, 1000);
  append(producer, 0, 5);
  kafka::ProducerIdentity stranger;
  stranger.id = 78;
  stranger.epoch = 1;
  append(stranger, 5, 5);
  producer.epoch = 2;
  marker(producer);
  log_anchor(producer, 0, 1005);
  append(producer, 0, 5);
  RelayMap map(env_, *cluster_);
  for (int64_t source = 1000; source < 1010; ++source) {
    auto got = co_await ask(map, soon(), Direction::kToTarget, source);
    CO_ASSERT_OK(got);
    EXPECT_EQ(got->offset, source < 1005 ? source - 1000 : source - 1005 + 11);
    EXPECT_TRUE(got->exact);
  }
}

ASYNC_TEST_F(RelayMapTest, LogThatLostItsEndIsReadAgain) {
  add_topics();
  append(std::nullopt, -1, 50);
  for (int64_t i = 0; i < 4; ++i) log_run(i * 10, i * 10, 5);
  RelayMap map(env_, *cluster_);
  auto got = co_await ask(map, soon(), Direction::kToTarget, 32);
  CO_ASSERT_OK(got);
  kafka_.partition(kTranslationTopic, translation_log_partition(key_)).elect_unclean(2);
  got = co_await ask(map, soon(), Direction::kToTarget, 32);
  EXPECT_ERROR(got, ErrorCode::kOutOfRange);
  got = co_await ask(map, soon(), Direction::kToTarget, 12);
  CO_ASSERT_OK(got);
  EXPECT_EQ(got->offset, 12);
}

}  // namespace
}  // namespace farshore::client
