#include "linker/target/digest_comparison.h"

#include "linker/store/testing/kafka_fixture.h"
#include "proto/kafka/messages/mirror_control.h"

namespace farshore::linker {
namespace {

using Response = kafka::MirrorControlResponse;

// One broker plays both ends, by topic names. Each end has batches of ten records, and a text for each.
class DigestComparisonTest : public KafkaFixture {
 public:
  struct End {
    std::map<int64_t, std::string> batches;  // by base offset
    int64_t compacted_to = 0;
  };
  std::map<std::string, End> ends_;
  static constexpr int64_t kEnd = 100'000, kBatch = 10;

  DigestComparisonTest() {
    kafka_.private_apis = {{kafka::MirrorControlRequest::kApiKey, 1, kafka::MirrorControlRequest::kMaxVersion}};
    kafka_.answer = [this](kafka::FakeCall& call) { return mirror_control(call); };
    for (const char* name : {"source", "mirror"})
      for (int64_t base = 0; base < kEnd; base += kBatch) ends_[name].batches[base] = "as appended";
  }

  // As the source's cleaner does it: below `to` one batch in a hundred stays.
  void compact(const std::string& end, int64_t to) {
    std::erase_if(ends_[end].batches, [&](const auto& batch) { return batch.first < to && batch.first % 1000 != 0; });
    ends_[end].compacted_to = to;
  }

  Task<api::VerifyProgress> verify(bool policy_compacts) {
    kafka::ClusterOptions options;
    options.bootstrap.push_back(Endpoint{"kafka", 9092});
    kafka::ClusterClient cluster(env_, env_.network(), std::move(options));
    MirrorClient client(cluster);
    TargetTopic topic;
    topic.topic = "mirror";
    topic.source_topic = "source";
    DigestComparison comparison(env_, client, client, std::move(topic), 1, policy_compacts);
    api::VerifyProgress last;
    auto run = co_await comparison.run([&last](api::VerifyProgress row) { last = std::move(row); }, soon());
    EXPECT_TRUE(run) << run.error().to_string();
    EXPECT_TRUE(last.done());
    EXPECT_TRUE(last.error().empty()) << last.error();
    co_return last;
  }

 private:
  bool mirror_control(kafka::FakeCall& call) {
    if (call.key() != kafka::MirrorControlRequest::kApiKey) return false;
    auto request = call.decode<kafka::MirrorControlRequest>();
    Response response;
    for (const auto& asked : request.topics) {
      const End& end = ends_.at(*asked.name);
      auto& topic = response.topics.emplace_back();
      topic.name = asked.name;
      for (const auto& from : asked.partitions) {
        auto& to = topic.partitions.emplace_back();
        to.partition = from.partition;
        to.log_start_offset = 0;
        to.high_watermark = to.end_offset = kEnd;
        to.compacted_to = end.compacted_to;
        if (request.op == wire_value(MirrorOperation::kDigest)) digest(end, from, to);
      }
    }
    call.reply(response);
    return true;
  }
  static void digest(const End& end, const kafka::MirrorControlRequest::MirrorControlPartition& from,
                     Response::MirrorControlPartitionResult& to) {
    const int64_t step = (from.end_offset - from.offset + from.digest_ranges - 1) / from.digest_ranges;
    int64_t in_range = -1;
    for (auto at = end.batches.lower_bound(from.offset); at != end.batches.end() && at->first < from.end_offset; ++at) {
      const int64_t range = (at->first - from.offset) / step;
      if (range != in_range) to.digests.emplace_back().offset = at->first;
      in_range = range;
      auto& part = to.digests.back();
      part.end_offset = at->first + kBatch;
      ++part.batches;
      const std::string text = std::to_string(at->first) + at->second;
      const auto hash = static_cast<uint64_t>(std::hash<std::string>()(text));
      part.digest.resize(sizeof hash);
      for (size_t i = 0; i < sizeof hash; ++i) part.digest[i] ^= static_cast<std::byte>(hash >> (8 * i));
    }
  }
};

ASYNC_TEST_F(DigestComparisonTest, EqualEndsAreEqual) {
  auto row = co_await verify(false);
  EXPECT_TRUE(row.equal());
  EXPECT_EQ(row.to_offset(), kEnd);
  EXPECT_EQ(row.source_digest(), row.target_digest());
}

ASYNC_TEST_F(DigestComparisonTest, DifferenceIsFoundToTheBatch) {
  ends_["mirror"].batches[77'770] = "damaged";
  auto row = co_await verify(false);
  EXPECT_FALSE(row.equal());
  EXPECT_EQ(row.first_difference(), 77'770);
}

ASYNC_TEST_F(DigestComparisonTest, WhatWasOnceCompactedIsNotComparableWhateverThePolicyIsNow) {
  compact("source", 60'000);
  for (const bool policy_compacts : {false, true}) {
    auto row = co_await verify(policy_compacts);
    EXPECT_TRUE(row.equal()) << row.DebugString();
    EXPECT_EQ(row.first_difference(), -1);
    EXPECT_LE(row.from_offset(), 60'000);
    EXPECT_NE(row.note().find("not comparable"), std::string::npos) << row.note();
  }
}

ASYNC_TEST_F(DigestComparisonTest, DifferenceAboveWhatWasCompactedIsADifferenceAlsoInACompactedTopic) {
  compact("source", 60'000);
  ends_["mirror"].batches[60'000] = "damaged";
  for (const bool policy_compacts : {false, true}) {
    auto row = co_await verify(policy_compacts);
    EXPECT_FALSE(row.equal());
    EXPECT_FALSE(row.not_compared());
    EXPECT_EQ(row.first_difference(), 60'000) << row.DebugString();
  }
}

ASYNC_TEST_F(DigestComparisonTest, WhollyCompactedTopicIsNotComparedAndNotDifferent) {
  compact("source", kEnd);
  auto row = co_await verify(false);
  EXPECT_EQ(row.first_difference(), -1);
  EXPECT_TRUE(row.equal() || row.not_compared()) << row.DebugString();
  EXPECT_FALSE(row.note().empty());
}

ASYNC_TEST_F(DigestComparisonTest, TargetThatCompactedAfterItsMirrorEndedIsNamed) {
  compact("mirror", 60'000);
  auto row = co_await verify(false);
  EXPECT_TRUE(row.equal()) << row.DebugString();
  EXPECT_NE(row.note().find("the target has compacted"), std::string::npos) << row.note();
}

// Version 3 of MirrorControl does not say what was compacted.
ASYNC_TEST_F(DigestComparisonTest, OlderBrokerIsJudgedByThePolicyAndTheDoubtIsSaid) {
  kafka_.private_apis = {{kafka::MirrorControlRequest::kApiKey, 1, 3}};
  compact("source", 60'000);
  auto row = co_await verify(true);
  EXPECT_TRUE(row.equal()) << row.DebugString();
  row = co_await verify(false);
  EXPECT_FALSE(row.equal());
  EXPECT_GE(row.first_difference(), 0);
  EXPECT_LE(row.first_difference(), 10) << "the first batch that the cleaner removed";
  EXPECT_NE(row.note().find("cannot say whether it ever compacted"), std::string::npos) << row.note();
}

}  // namespace
}  // namespace farshore::linker
