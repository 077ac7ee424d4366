// Batches that real clients produced and Apache Kafka stored. They are decoded and checked; uncompressed ones are also
// rebuilt to the same bytes.
#include <gtest/gtest.h>

#include "proto/batch/records.h"
#include "proto/batch/testing/golden_batches.h"

namespace farshore {
namespace {

std::vector<std::byte> unhex(std::string_view hex) {
  std::vector<std::byte> bytes;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return bytes;
}

Compression codec_of(std::string_view name) {
  constexpr std::string_view kNames[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  size_t i = 0;
  while (kNames[i] != name) ++i;
  return static_cast<Compression>(i);
}

TEST(GoldenBatches, BatchesOfRealClientsAreDecodedInEveryCodec) {
  SlabArena arena;
  for (const auto& golden : kGoldenBatches) {
    SCOPED_TRACE(golden.name);
    auto run = run_of(arena, unhex(golden.hex));
    ASSERT_TRUE(verify_crc(run));
    size_t begin = 0, records = 0;
    for (const auto& header : run.batches) {
      EXPECT_EQ(header.compression(), codec_of(golden.codec));
      EXPECT_TRUE(header.contiguous());
      auto reader = RecordReader::open(header, run.bytes, begin);
      ASSERT_TRUE(reader) << reader.error().to_string();
      Record record;
      for (;;) {
        auto more = reader->next(record);
        ASSERT_TRUE(more) << more.error().to_string();
        if (!*more) break;
        ++records;
        ASSERT_TRUE(record.key && record.value);
        std::string number(record.key->substr(3));
        std::string half = "value number " + number + " of codec " + std::string(golden.codec);
        EXPECT_EQ(*record.value, half + ", " + half);
        EXPECT_EQ(record.headers.size(), golden.name.starts_with("rd-") ? 1U : 0U);
        for (const auto& header : record.headers) EXPECT_EQ(header, (RecordHeader{"trace", "abc"}));
      }
      begin += header.size_bytes();
    }
    if (golden.name.starts_with("rd-"))
      EXPECT_EQ(records, 6U);
    else
      EXPECT_GT(records, 0U);
  }
}

TEST(GoldenBatches, UncompressedBatchesAreRebuiltToTheSameBytes) {
  SlabArena arena;
  for (const auto& golden : kGoldenBatches) {
    if (golden.codec != "none") continue;
    SCOPED_TRACE(golden.name);
    auto bytes = unhex(golden.hex);
    auto run = run_of(arena, bytes);
    std::vector<std::byte> again;
    size_t begin = 0;
    for (const auto& header : run.batches) {
      BatchBuilder builder;
      builder.like(header);
      auto reader = RecordReader::open(header, run.bytes, begin).value();
      Record record;
      while (reader.next(record).value())
        builder.add_at(record.offset.value(), record.timestamp_ms, record.key, record.value, record.headers);
      auto built = builder.build();
      again.insert(again.end(), built.begin(), built.end());
      begin += header.size_bytes();
    }
    EXPECT_EQ(again, bytes);
  }
}

}  // namespace
}  // namespace farshore
