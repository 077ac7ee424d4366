#include "proto/batch/merge.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/testing/seed.h"
#include "proto/batch/builder.h"
#include "proto/batch/records.h"

namespace farshore {
namespace {

struct Copied {
  int64_t offset, timestamp_ms;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  friend bool operator==(const Copied&, const Copied&) = default;
};

std::optional<std::string> copy(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::vector<Copied> records_of(const BatchRun& run) {
  std::vector<Copied> all;
  size_t begin = 0;
  for (const BatchHeader& header : run.batches) {
    auto reader = RecordReader::open(header, run.bytes, begin).value();
    begin += header.size_bytes();
    for (Record record; reader.next(record).value();) {
      Copied& each = all.emplace_back();
      each.offset = record.offset.value();
      each.timestamp_ms = record.timestamp_ms;
      each.key = copy(record.key);
      each.value = copy(record.value);
      for (const RecordHeader& header_of : record.headers)
        each.headers.emplace_back(std::string(header_of.key), copy(header_of.value));
    }
  }
  return all;
}

TEST(MergeBatches, OneBatchHoldsAllRecordsAsTheyWere) {
  Random random(announced_seed(20261129));
  SlabArena arena;
  for (int round = 0; round < 100; ++round) {
    const auto codec = static_cast<Compression>(round % 5);
    int64_t offset = random.between(0, 1'000'000);
    std::vector<std::byte> bytes;
    for (int64_t n = random.between(2, 20); n > 0; --n) {
      BatchBuilder builder;
      builder.base_offset(offset).leader_epoch(4).compression(codec).producer(random.between(1, 5), 0, 7);
      for (int64_t r = random.between(1, 9); r > 0; --r) {
        const std::string key(random.below(20), 'k'), value(random.below(300), 'v');
        std::vector<RecordHeader> headers;
        if (random.below(3) == 0) headers.push_back({"h", std::nullopt});
        if (random.below(3) == 0) headers.push_back({"empty", ""});
        std::optional<std::string_view> maybe_key, maybe_value;
        if (random.below(4) != 0) maybe_key = key;
        if (random.below(4) != 0) maybe_value = value;
        builder.add(random.between(-1, 2'000'000'000'000), maybe_key, maybe_value, headers);
        ++offset;
      }
      auto one = builder.build();
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    BatchRun run = run_of(arena, bytes);
    for (size_t i = 1; i < run.batches.size(); ++i) ASSERT_TRUE(can_merge(run.batches[i - 1], run.batches[i]));
    const std::vector<Copied> expected = records_of(run);
    int64_t max_timestamp = -1;
    for (const Copied& each : expected) max_timestamp = std::max(max_timestamp, each.timestamp_ms);
    const LogEpoch epoch = run.batches[0].epoch();
    auto merged = merge_batches(std::move(run), arena);
    ASSERT_TRUE(merged);
    ASSERT_EQ(merged->batches.size(), 1u);
    const BatchHeader& header = merged->batches[0];
    EXPECT_TRUE(verify_crc(*merged));
    EXPECT_TRUE(header.contiguous());
    EXPECT_EQ(header.compression(), codec);
    EXPECT_EQ(header.epoch(), epoch);
    EXPECT_EQ(header.max_timestamp, max_timestamp);
    EXPECT_FALSE(header.has_producer());
    ASSERT_EQ(records_of(*merged), expected);
  }
}

TEST(MergeBatches, BatchesThatDifferAreNotMerged) {
  auto header = [](auto change) {
    BatchBuilder builder;
    builder.base_offset(1).leader_epoch(4);
    change(builder);
    auto bytes = builder.build();
    return BatchHeader::parse(bytes).value();
  };
  auto none = [](BatchBuilder& b) { b.add(1, "k", "v"); };
  BatchBuilder first;
  first.leader_epoch(4).add(1, "k", "v");
  const BatchHeader before = BatchHeader::parse(first.build()).value();
  EXPECT_TRUE(can_merge(before, header(none)));
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.base_offset(2).add(1, "k", "v"); }))) << "a gap";
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.leader_epoch(5).add(1, "k", "v"); })));
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.compression(Compression::kLz4).add(1, "k", "v"); })));
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.log_append_time(5).add(1, "k", "v"); })));
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.add_marker(ControlType::kAbort, 0, 1); })));
  EXPECT_FALSE(can_merge(before, header([](BatchBuilder& b) { b.add(1, "k", "v").add_at(5, 1, "k", "v"); })));
}

}  // namespace
}  // namespace farshore
