#include "linker/relay/journal_log.h"

#include "base/gate.h"
#include "linker/relay/testing/journal_fixture.h"

namespace farshore::linker {
namespace {

using Fate = kafka::FakeKafka::Fate;
constexpr int16_t kProduceKey = 0;

class JournalLogTest : public KafkaFixture {
 public:
  Task<Status> open(size_t records_max) {
    kafka_.add_topic(kTranslationTopic, 1);
    cluster_ = KafkaFixture::connect(env_);
    std::vector<TopicPartition> partitions{{kTranslationTopic, 0}};
    CO_TRY(auto owner, co_await kafka::fence(*cluster_, "farshore.test", std::move(partitions), soon()));
    // The marker begins the producer's sequence anew, so nothing is written before it.
    while (kafka_.transactional_ids["farshore.test"].ending) co_await env_.sleep(milliseconds(1));
    TopicPartition at{kTranslationTopic, 0};
    log_ = std::make_unique<JournalLog>(env_, *cluster_, std::move(at), owner, records_max);
    co_return ok();
  }
  Task<void> append(int n, size_t bytes, Deadline deadline) {
    std::vector<kafka::KeyedRecord> records(1);
    records.front().key = "key " + std::to_string(n);
    records.front().value = std::string(bytes, 'v');
    results_[n] = co_await log_->append(std::move(records), deadline);
  }
  size_t written() {
    size_t records = 0;
    for (const auto& each : kafka_.partition(kTranslationTopic, 0).log)
      if (!each.header.control()) records += static_cast<size_t>(each.header.record_count);
    return records;
  }

  std::unique_ptr<kafka::ClusterClient> cluster_;
  std::unique_ptr<JournalLog> log_;
  std::map<int, JournalLog::Appended> results_;
};

ASYNC_TEST_F(JournalLogTest, AppendsThatWaitGoTogether) {
  CO_DO(co_await open(25));
  const int before = kafka_.requests[kProduceKey];
  Gate gate(env_);
  for (int n = 0; n < 60; ++n) spawn(gate, "append", append(n, 10, soon()));
  co_await gate.close();
  for (const auto& [n, appended] : results_) EXPECT_TRUE(appended.result) << n;
  EXPECT_EQ(written(), 60u);
  EXPECT_LE(kafka_.requests[kProduceKey] - before, 4) << "one alone, then at most 25 records each";
  cluster_->close();
}

ASYNC_TEST_F(JournalLogTest, RefusedAsTooLargeEachGoesAlone) {
  CO_DO(co_await open(1000));
  kafka_.partition(kTranslationTopic, 0).batch_bytes_max = 400;
  Gate gate(env_);
  for (int n = 0; n < 10; ++n) spawn(gate, "append", append(n, n == 5 ? 1000 : 100, soon()));
  co_await gate.close();
  for (const auto& [n, appended] : results_) {
    EXPECT_EQ(appended.result.has_value(), n != 5) << n;
    EXPECT_FALSE(appended.in_doubt) << n;
  }
  EXPECT_ERROR(results_[5].result, ErrorCode::kInvalidArgument);
  EXPECT_EQ(written(), 9u);
  EXPECT_TRUE(log_->usable());
  cluster_->close();
}

ASYNC_TEST_F(JournalLogTest, WriteOfUnknownFateEndsTheLogAndOnlyThoseThatWereSentAreInDoubt) {
  CO_DO(co_await open(1000));
  kafka_.fate = [](int16_t api) { return api == kProduceKey ? Fate::kLoseAnswer : Fate::kAnswer; };
  Gate gate(env_);
  spawn(gate, "append", append(0, 10, env_.in(seconds(2))));
  co_await gate.close();
  kafka_.fate = nullptr;
  EXPECT_ERROR(results_[0].result, ErrorCode::kAmbiguous);
  EXPECT_TRUE(results_[0].in_doubt);
  EXPECT_FALSE(log_->usable());
  co_await append(1, 10, soon());
  EXPECT_ERROR(results_[1].result, ErrorCode::kAmbiguous);
  EXPECT_FALSE(results_[1].in_doubt) << "nothing of it was sent";
  cluster_->close();
}

}  // namespace
}  // namespace farshore::linker
