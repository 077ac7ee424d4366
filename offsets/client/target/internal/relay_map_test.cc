// RelayMap against a FakeKafka, whose topics the tests fill as a relay link does.
#include "offsets/client/target/internal/relay_map.h"

#include <array>

#include "offsets/client/target/internal/relay_fixture.h"

namespace farshore::client {
namespace {

using Direction = RelayDirection;

class RelayMapTest : public RelayFixture {
 public:
  static Task<Result<RelayAnswer>> ask(RelayMap& map, Deadline deadline, Direction direction, int64_t offset,
                                       std::string link = "") {
    RelayQuestion question;
    question.link = std::move(link);
    question.topic = direction == Direction::kToTarget ? "orders" : "east.orders";
    question.offset = offset;
    question.direction = direction;
    std::vector<RelayQuestion> questions{std::move(question)};
    auto answers = co_await map.ask(std::move(questions), deadline);
    last_limit_ = answers.front().limit;
    if (answers.front().error.code != ErrorCode::kNone) co_return answers.front().error;
    co_return std::move(answers.front());
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
    EXPECT_EQ(last_limit_, source_end);
  }

  static inline int64_t last_limit_ = -1;
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
  EXPECT_ERROR(none, ErrorCode::kInvalidArgument);
  found = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  CO_ASSERT_OK(found);
  store_link("link/e2w/topic/east.orders", link_json(true));
  found = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  CO_ASSERT_OK(found);
  EXPECT_TRUE(found->ended);
  store_link("link/e2w/topic/east.orders", link_json(false, 99));
  none = co_await ask(map, soon(), Direction::kToTarget, 12, "e2w");
  EXPECT_ERROR(none, ErrorCode::kUnsupported);
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
    std::vector<RelayQuestion> questions{std::move(question)};
    auto got = co_await map.ask(std::move(questions), soon());
    EXPECT_EQ(got.front().error.code, ErrorCode::kNone);
    EXPECT_EQ(got.front().offset, target) << source;
    EXPECT_EQ(got.front().exact, source == 11) << source;
  }
}

// A transaction marker of the source, which the relay passed over: the anchor behind it vouches for more than the run.
ASYNC_TEST_F(RelayMapTest, LimitIsTheEndThatIsKnownAndNotOnlyTheLastRuns) {
  add_topics();
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 2;
  log_anchor(producer, 0, 10);
  append(producer, 0, 5);
  log_run(10, 0, 5);
  append(std::nullopt, -1, 3);  // another program's
  log_anchor(producer, 5, 17);
  RelayMap map(env_, *cluster_);
  auto end = co_await ask(map, soon(), Direction::kToTarget, 17);
  CO_ASSERT_OK(end);
  EXPECT_EQ(end->limit, 17);
  EXPECT_EQ(end->offset, 8);
  auto beyond = co_await ask(map, soon(), Direction::kToTarget, 18);
  EXPECT_ERROR(beyond, ErrorCode::kOutOfRange);
  EXPECT_EQ(last_limit_, 17) << "what is said to translate does, and nothing above it";
  auto back = co_await ask(map, soon(), Direction::kToSource, 8);
  CO_ASSERT_OK(back);
  EXPECT_EQ(back->limit, 8);
  EXPECT_EQ(back->offset, 17);
}

// Nothing was relayed yet; the relay knows where it begins.
ASYNC_TEST_F(RelayMapTest, LimitOfARelayWithoutRunsIsWhereItBegins) {
  add_topics();
  append(std::nullopt, -1, 4);
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 0;
  log_anchor(producer, 0, 30);
  RelayMap map(env_, *cluster_);
  (void)co_await ask(map, soon(), Direction::kToTarget, 31);
  EXPECT_EQ(last_limit_, 30);
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

constexpr int16_t kFetchKey = 1, kListOffsetsKey = 2;

// The target's own producers write for years behind the end of a relay.
ASYNC_TEST_F(RelayMapTest, LookUpAfterTheEndReadsNoneOfTheTargetsOwnRecords) {
  add_topics();
  append(std::nullopt, -1, 5);
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 0;
  log_anchor(producer, 0, 0);
  log_run(0, 0, 5);
  RelayTopic topic = relay_topic();
  PromotionRecord::PartitionEnd end;
  end.failover_offset = SourceOffset(5);
  end.failover_target_offset = TargetOffset(5);
  topic.promotion.emplace().partitions.push_back(end);
  store_link("link/e2w/topic/east.orders", encode(topic));
  for (int i = 0; i < 50; ++i) append(std::nullopt, -1, 100);
  RelayMap map(env_, *cluster_);
  auto first = co_await ask(map, soon(), Direction::kToTarget, 3);
  CO_ASSERT_OK(first);
  EXPECT_EQ(first->offset, 3);
  EXPECT_EQ(kafka_.requests[kFetchKey], 2);  // of the links and of the translation log
  auto again = co_await ask(map, soon(), Direction::kToTarget, 3);
  CO_ASSERT_OK(again);
  EXPECT_EQ(kafka_.requests[kFetchKey], 2);
}

// While the relay runs, other producers may write, too: each of their batches is looked at once.
ASYNC_TEST_F(RelayMapTest, BatchesOfOthersBehindTheLastRunAreReadOnce) {
  add_topics();
  kafka::ProducerIdentity producer;
  producer.id = 77;
  producer.epoch = 0;
  log_anchor(producer, 0, 0);
  append(producer, 0, 5);
  for (int i = 0; i < 50; ++i) append(std::nullopt, -1, 100);
  RelayMap map(env_, *cluster_);
  auto first = co_await ask(map, soon(), Direction::kToTarget, 3);
  CO_ASSERT_OK(first);
  const int fetches = kafka_.requests[kFetchKey];
  auto again = co_await ask(map, soon(), Direction::kToTarget, 4);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->offset, 4);
  EXPECT_EQ(kafka_.requests[kFetchKey], fetches);
  const int64_t next = append(producer, 5, 5);
  again = co_await ask(map, soon(), Direction::kToTarget, 7);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->offset, next + 2);
  EXPECT_EQ(kafka_.requests[kFetchKey], fetches + 1);
}

// A call that has no time reads one answer of the target; the next call goes on behind it.
ASYNC_TEST_F(RelayMapTest, LogThatTakesLongerThanOneCallIsReadOverSeveral) {
  add_topics();
  append(std::nullopt, -1, 5);
  const std::string large(700 << 10, 'x');
  for (int i = 0; i < 12; ++i) {
    BatchBuilder builder;
    builder.add(1, std::nullopt, std::string_view(large));  // without a key: of no relayed partition
    kafka_.append(kTranslationTopic, translation_log_partition(key_), builder.build());
  }
  log_run(0, 0, 5);
  SlabArena arena;
  TranslationImage image(env_, *cluster_, arena, translation_log_partition(key_));
  TopicPartition log_at{kTranslationTopic, translation_log_partition(key_)};
  auto end = co_await kafka::partition_offset(*cluster_, log_at, kafka::OffsetOf::kEnd, soon());
  CO_ASSERT_OK(end);
  int calls = 0;
  for (;; ++calls) {
    auto read = co_await image.catch_up(*end, Deadline(env_.now()));
    if (read) break;
    EXPECT_ERROR(read, ErrorCode::kTimedOut);
    CO_ASSERT(calls < 30);
  }
  EXPECT_GT(calls, 2);
  auto found = co_await image.store().to_target(key_, SourceOffset(3), std::nullopt);
  CO_ASSERT_OK(found);
  EXPECT_EQ(found->offset, 3);
}

ASYNC_TEST_F(RelayMapTest, ManyPartitionsAreAskedAboutInFewRequests) {
  constexpr int kPartitions = 60;
  kafka_.add_topic("__farshore_links", 1);
  kafka_.add_topic(kTranslationTopic, kTranslationLogPartitions);
  kafka_.add_topic("east.orders", kPartitions);
  RelayTopic topic = relay_topic();
  topic.partitions = kPartitions;
  store_link("link/e2w/topic/east.orders", encode(topic));
  std::vector<RelayQuestion> questions;
  for (int p = 0; p < kPartitions; ++p) {
    key_.partition = PartitionId(p);
    log_run(p, 0, 5);
    RelayQuestion question;
    question.topic = "orders";
    question.partition = p;
    question.offset = p + 3;
    questions.push_back(std::move(question));
  }
  RelayMap map(env_, *cluster_);
  auto answers = co_await map.ask(std::move(questions), soon());
  for (const auto& answer : answers) {
    EXPECT_EQ(answer.error.code, ErrorCode::kNone) << answer.error.to_string();
    EXPECT_EQ(answer.offset, 3);
  }
  EXPECT_LE(kafka_.requests[kListOffsetsKey], 3);
  EXPECT_LT(kafka_.requests[kFetchKey],
            2 * kTranslationLogPartitions);  // for each log partition, not for each question
}

}  // namespace
}  // namespace farshore::client
