// FetchDecoder reads responses that the generated codec encoded, in pieces of many sizes.
#include "proto/kafka/fetch_stream.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/testing/seed.h"
#include "proto/batch/builder.h"

namespace farshore::kafka {
namespace {

// Builds a response from the visitor's calls, to compare it with the encoded one.
class Collector : public FetchVisitor {
 public:
  void on_response(const FetchResponse& head) override { response = head; }
  void on_partition(const FetchTopic& topic, const Partition& partition, size_t records_bytes) override {
    if (!in_topic_ || topic.name != response.responses.back().topic || topic.id != response.responses.back().topic_id) {
      response.responses.emplace_back();
      response.responses.back().topic = topic.name;
      response.responses.back().topic_id = topic.id;
      in_topic_ = true;
    }
    response.responses.back().partitions.push_back(partition);
    bytes_.emplace_back();
    announced.push_back(records_bytes);
  }
  void on_batch_header(const BatchHeader& header) override { headers.push_back(header.base_offset); }
  void on_batches(BatchRun run) override {
    ASSERT_FALSE(run.empty());
    size_t size = 0;
    for (const auto& batch : run.batches) {
      offsets.push_back(batch.base_offset);
      size += batch.size_bytes();
    }
    ASSERT_EQ(size, run.bytes.size());
    ASSERT_TRUE(verify_crc(run));
    Bytes part(size);
    run.bytes.copy_out(0, part);
    bytes_.back().insert(bytes_.back().end(), part.begin(), part.end());
    budgeted += run.budget.bytes();
    if (keep) runs.push_back(std::move(run));
  }
  void on_bad_records(Error error) override { bad.push_back(std::move(error)); }
  void on_partition_end(const FetchTopic&, const Partition& partition, size_t cut_bytes) override {
    response.responses.back().partitions.back() = partition;
    cut.push_back(cut_bytes);
  }
  void on_response_end(const std::vector<FetchResponse::NodeEndpoint>& endpoints) override {
    response.node_endpoints = endpoints;
    ended = true;
  }
  const Bytes& bytes(size_t partition) const { return bytes_.at(partition); }

  FetchResponse response;
  std::vector<size_t> announced, cut;
  std::vector<int64_t> offsets, headers;
  std::vector<Error> bad;
  std::vector<BatchRun> runs;
  size_t budgeted = 0;
  bool ended = false, keep = false;

 private:
  bool in_topic_ = false;
  std::deque<Bytes> bytes_;
};

Bytes batches(int64_t from, int count, size_t value_bytes) {
  Bytes all;
  for (int i = 0; i < count; ++i) {
    Bytes one = BatchBuilder().base_offset(from + i).add(1, "k", std::string(value_bytes, 'v')).build();
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

Bytes encoded(const FetchResponse& response, int16_t version) {
  Writer writer;
  if (FetchResponse::flexible(version)) writer.tag_count(0);  // of the response header
  response.encode(writer, version);
  return writer.finish().value().to_bytes();
}

// Feeds all bytes in pieces of at most `piece(...)` bytes.
template <class Piece>
Status feed(FetchDecoder& decoder, ConstBytes bytes, Piece piece) {
  size_t at = 0;
  while (at < bytes.size() && decoder.bytes_left() > 0) {
    FetchDecoder::Want want = decoder.want();
    EXPECT_GT(want.into.size(), 0u);
    EXPECT_GE(want.bytes_min, 1u);
    EXPECT_LE(want.bytes_min, want.into.size());
    size_t size = std::min({want.into.size(), bytes.size() - at, std::max<size_t>(piece(), 1)});
    std::memcpy(want.into.data(), bytes.data() + at, size);
    at += size;
    FARSHORE_CHECK(decoder.filled(size));
  }
  return ok();
}

FetchResponse sample(int16_t version, std::deque<Bytes>& storage) {
  FetchResponse response;
  response.throttle_time_ms = 3;
  if (version >= 7) response.session_id = 99;
  for (int t = 0; t < 2; ++t) {
    auto& topic = response.responses.emplace_back();
    if (version <= 12) topic.topic = t ? "orders" : "payments";
    if (version >= 13) topic.topic_id.bytes[3] = static_cast<uint8_t>(t + 1);
    for (int p = 0; p < 3; ++p) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = p;
      partition.high_watermark = 1000 + p;
      partition.last_stable_offset = 900;
      if (version >= 5) partition.log_start_offset = 5;
      if (p == 1) partition.aborted_transactions->push_back({.producer_id = 7, .first_offset = 8});
      if (p == 2) {
        partition.aborted_transactions.reset();
        partition.error_code = 1;
        partition.records = Records::empty();
        if (version >= 12) partition.diverging_epoch = {.epoch = 4, .end_offset = 44};
        if (version >= 12) partition.current_leader = {.leader_id = 1, .leader_epoch = 9};
      } else {
        storage.push_back(batches(100 * p, 3 + p, 50));
        partition.records = Records::view(storage.back());
      }
    }
  }
  if (version >= 16) {
    auto& node = response.node_endpoints.emplace_back();
    node.host = "b";
    node.port = 9092;
  }
  return response;
}

void expect_same(const Collector& seen, FetchResponse expected) {
  size_t index = 0;
  for (auto& topic : expected.responses) {
    for (auto& partition : topic.partitions) {
      EXPECT_EQ(seen.bytes(index), partition.records.to_bytes());
      EXPECT_EQ(seen.announced[index], partition.records.size());
      EXPECT_EQ(seen.cut[index], 0u);
      partition.records = Records();
      ++index;
    }
  }
  EXPECT_EQ(seen.response, expected);
  EXPECT_TRUE(seen.ended);
  EXPECT_TRUE(seen.bad.empty());
  EXPECT_EQ(seen.headers, seen.offsets);
}

TEST(FetchDecoder, DecodesEveryVersionFromPiecesOfAnySize) {
  Random random(announced_seed(20261123));
  SlabArena arena;
  for (int16_t version = FetchResponse::kMinVersion; version <= FetchResponse::kMaxVersion; ++version) {
    std::deque<Bytes> storage;
    FetchResponse response = sample(version, storage);
    Bytes bytes = encoded(response, version);
    for (size_t piece_max : {1ul, 2ul, 61ul, 1000ul, 1ul << 30}) {
      SlabWriter slabs(arena);
      Collector seen;
      FetchDecoder decoder(version, bytes.size(), slabs, nullptr, seen);
      auto status = feed(decoder, bytes, [&] { return 1 + random.below(piece_max); });
      ASSERT_TRUE(status) << status.error().to_string() << " version " << version;
      EXPECT_TRUE(decoder.done());
      expect_same(seen, response);
    }
  }
}

TEST(FetchDecoder, HandsOutABatchWhenItsLastByteArrives) {
  SlabArena arena;
  SlabWriter slabs(arena);
  FetchResponse response;
  Bytes records = batches(10, 2, 100);
  response.responses.emplace_back().partitions.emplace_back().records = Records::view(records);
  Bytes bytes = encoded(response, 12);
  Collector seen;
  FetchDecoder decoder(12, bytes.size(), slabs, nullptr, seen);
  size_t first_end = bytes.size() - 3 - records.size() / 2;  // three empty tag sections end the response
  ASSERT_TRUE(feed(decoder, ConstBytes(bytes).first(first_end - 1), [] { return 7; }));
  EXPECT_EQ(seen.headers, (std::vector<int64_t>{10}));
  EXPECT_TRUE(seen.offsets.empty());
  ASSERT_TRUE(feed(decoder, ConstBytes(bytes).subspan(first_end - 1, 1), [] { return 7; }));
  EXPECT_EQ(seen.offsets, (std::vector<int64_t>{10}));
  ASSERT_TRUE(feed(decoder, ConstBytes(bytes).subspan(first_end), [] { return 1000; }));
  EXPECT_EQ(seen.offsets, (std::vector<int64_t>{10, 11}));
  EXPECT_TRUE(decoder.done());
}

TEST(FetchDecoder, HandsOutABatchLargerThanASlabAsSeveralSlices) {
  SlabArena arena;
  SlabWriter slabs(arena);
  FetchResponse response;
  Bytes records = batches(0, 3, (2 << 20) + 12345);
  response.responses.emplace_back().partitions.emplace_back().records = Records::view(records);
  Bytes bytes = encoded(response, 11);
  Collector seen;
  seen.keep = true;
  FetchDecoder decoder(11, bytes.size(), slabs, nullptr, seen);
  ASSERT_TRUE(feed(decoder, bytes, [] { return 300'000; }));
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(seen.bytes(0), records);
  ASSERT_EQ(seen.runs.size(), 3u);
  EXPECT_GE(seen.runs[0].bytes.slices().size(), 3u);
  EXPECT_LT(arena.used_bytes(), records.size() + 2 * kSlabBytes);
}

TEST(FetchDecoder, LeavesOutABatchThatTheBrokerCutOff) {
  SlabArena arena;
  SlabWriter slabs(arena);
  for (size_t cut : {1ul, 40ul, 100ul, 150ul}) {
    FetchResponse response;
    Bytes records = batches(0, 2, 100);
    size_t half = records.size() / 2;
    records.resize(records.size() - std::min(cut, half));
    auto& topic = response.responses.emplace_back();
    topic.partitions.emplace_back().records = Records::view(records);
    topic.partitions.emplace_back();
    Bytes bytes = encoded(response, 12);
    Collector seen;
    FetchDecoder decoder(12, bytes.size(), slabs, nullptr, seen);
    ASSERT_TRUE(feed(decoder, bytes, [] { return 33; }));
    EXPECT_TRUE(decoder.done());
    EXPECT_EQ(seen.offsets, (std::vector<int64_t>{0}));
    EXPECT_EQ(seen.cut[0], records.size() - half);
    EXPECT_TRUE(seen.bad.empty());
  }
}

TEST(FetchDecoder, SkipsBadRecordsAndDecodesTheOtherPartitions) {
  SlabArena arena;
  SlabWriter slabs(arena);
  FetchResponse response;
  Bytes bad = batches(0, 3, 100), good = batches(7, 1, 10);
  bad[bad.size() / 3 + 16] = std::byte{1};  // the magic of the second batch
  auto& topic = response.responses.emplace_back();
  topic.partitions.emplace_back().records = Records::view(bad);
  topic.partitions.emplace_back().records = Records::view(good);
  Bytes bytes = encoded(response, 17);
  for (size_t piece : {1ul, 100000ul}) {
    Collector seen;
    FetchDecoder decoder(17, bytes.size(), slabs, nullptr, seen);
    ASSERT_TRUE(feed(decoder, bytes, [&] { return piece; }));
    EXPECT_TRUE(decoder.done());
    ASSERT_EQ(seen.bad.size(), 1u);
    EXPECT_EQ(seen.bad[0].code, farshore::ErrorCode::kCorrupt);
    EXPECT_EQ(seen.offsets, (std::vector<int64_t>{0, 7}));
  }
}

TEST(FetchDecoder, RefusesBatchesAndElementsBeyondTheLimits) {
  SlabArena arena;
  SlabWriter slabs(arena);
  Collector seen;
  {
    FetchResponse response;
    Bytes large = batches(0, 1, 5000);
    response.responses.emplace_back().partitions.emplace_back().records = Records::view(large);
    Bytes bytes = encoded(response, 12);
    FetchDecoder decoder(12, bytes.size(), slabs, nullptr, seen, {.batch_bytes_max = 1000, .element_bytes_max = 4096});
    ASSERT_TRUE(feed(decoder, bytes, [] { return 500; }));
    ASSERT_EQ(seen.bad.size(), 1u);
    EXPECT_EQ(seen.bad[0].code, farshore::ErrorCode::kResourceExhausted);
  }
  {
    FetchResponse response;
    auto& partition = response.responses.emplace_back().partitions.emplace_back();
    partition.aborted_transactions->resize(100'000);
    Bytes bytes = encoded(response, 12);
    FetchDecoder decoder(12, bytes.size(), slabs, nullptr, seen,
                         {.batch_bytes_max = 1000, .element_bytes_max = 64 << 10});
    auto status = feed(decoder, bytes, [] { return 500; });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, farshore::ErrorCode::kResourceExhausted);
  }
}

TEST(FetchDecoder, RefusesCountsThatCannotFitTheBytes) {
  SlabArena arena;
  SlabWriter slabs(arena);
  Collector seen;
  Writer writer;
  writer.i32(0);           // throttle
  writer.i16(0);           // error
  writer.i32(0);           // session
  writer.i32(0x7fffffff);  // topics
  Bytes bytes = writer.finish().value().to_bytes();
  FetchDecoder decoder(11, bytes.size() + 100, slabs, nullptr, seen);
  auto status = feed(decoder, bytes, [] { return 1; });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, farshore::ErrorCode::kCorrupt);
}

TEST(FetchDecoder, HoldsBudgetUntilTheBatchesAreDropped) {
  struct NoTime final : Reactor {
    void post(Closure) override {}
    MonoTime now() override { return {}; }
    TimerId arm(MonoTime, std::function<void()>) override { return 0; }
    void cancel(TimerId) override {}
    bool dead() const override { return false; }
  } reactor;
  Budget budget(reactor, "test", 1000);
  SlabArena arena;
  SlabWriter slabs(arena);
  FetchResponse response;
  Bytes records = batches(0, 5, 100);
  response.responses.emplace_back().partitions.emplace_back().records = Records::view(records);
  Bytes bytes = encoded(response, 12);
  Collector seen;
  seen.keep = true;
  FetchDecoder decoder(12, bytes.size(), slabs, &budget, seen);
  ASSERT_TRUE(feed(decoder, bytes, [] { return 50; }));
  EXPECT_EQ(budget.used_bytes(), records.size());
  seen.runs.clear();
  EXPECT_EQ(budget.used_bytes(), 0u);
}

TEST(FetchDecoder, SurvivesRandomDamage) {
  Random random(announced_seed(20261123));
  SlabArena arena;
  struct Quiet : FetchVisitor {
    void on_response(const FetchResponse&) override {}
    void on_partition(const FetchTopic&, const Partition&, size_t) override {}
    void on_batches(BatchRun run) override { EXPECT_FALSE(run.empty()); }
    void on_bad_records(Error) override {}
    void on_partition_end(const FetchTopic&, const Partition&, size_t) override {}
    void on_response_end(const std::vector<FetchResponse::NodeEndpoint>&) override {}
  };
  for (int i = 0; i < 2000; ++i) {
    auto version = static_cast<int16_t>(random.between(FetchResponse::kMinVersion, FetchResponse::kMaxVersion));
    std::deque<Bytes> storage;
    Bytes bytes = encoded(sample(version, storage), version);
    for (size_t n = 1 + random.below(4); n > 0; --n) bytes[random.below(bytes.size())] = std::byte(random.next());
    SlabWriter slabs(arena);
    Quiet visitor;
    FetchDecoder decoder(version, bytes.size(), slabs, nullptr, visitor);
    auto status = feed(decoder, bytes, [&] { return 1 + random.below(400); });
    EXPECT_TRUE(!status || decoder.done() || decoder.bytes_left() == 0);
  }
}

}  // namespace
}  // namespace farshore::kafka
