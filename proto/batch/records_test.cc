#include "proto/batch/records.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"

namespace farshore {
namespace {

constexpr Compression kAll[] = {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4,
                                Compression::kZstd};

Result<std::vector<Record>> read_all(const BatchRun& run, const DecompressLimits& limits = {}) {
  FARSHORE_TRY(auto reader, RecordReader::open(run.batches[0], run.bytes, 0, limits));
  std::vector<Record> records;
  for (;;) {
    Record record;
    FARSHORE_TRY(bool more, reader.next(record));
    if (!more) return records;
    record.key = record.value = std::nullopt;  // views die with the reader
    record.headers.clear();
    records.push_back(record);
  }
}

// A batch whose payload is given as it is, with a matching CRC.
BatchRun raw_batch(SlabArena& arena, Compression codec, int32_t count, ConstBytes payload) {
  BatchHeader header;
  header.attributes = static_cast<int16_t>(codec);
  header.record_count = count;
  header.last_offset_delta = std::max(0, count - 1);
  header.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead + payload.size());
  std::vector<std::byte> batch(kBatchHeaderBytes + payload.size());
  std::span<std::byte, kBatchHeaderBytes> raw(batch.data(), kBatchHeaderBytes);
  header.store(raw);
  if (!payload.empty()) std::memcpy(batch.data() + kBatchHeaderBytes, payload.data(), payload.size());
  header.crc = crc32c(ConstBytes(batch).subspan(BatchField::kAttributes));
  header.store(raw);
  return run_of(arena, batch);
}

TEST(RecordReader, ReadsWhatTheBuilderWroteInEveryCodec) {
  SlabArena arena;
  for (auto codec : kAll) {
    BatchBuilder builder;
    builder.base_offset(1000).compression(codec);
    std::string long_value(100000, 'x');
    builder.add(50, "k", "v", {{"h1", "x"}, {"h2", std::nullopt}, {"", ""}});
    builder.add(40, std::nullopt, long_value);
    builder.add_at(1010, 60, "tombstone", std::nullopt);
    auto run = builder.build_run(arena);
    ASSERT_TRUE(verify_crc(run).has_value());
    EXPECT_EQ(run.batches[0].compression(), codec);
    EXPECT_EQ(run.batches[0].last(), Offset(1010));
    EXPECT_EQ(run.batches[0].base_timestamp, 50);
    EXPECT_EQ(run.batches[0].max_timestamp, 60);
    EXPECT_FALSE(run.batches[0].contiguous());
    auto reader = RecordReader::open(run.batches[0], run.bytes, 0).value();
    Record r;
    ASSERT_TRUE(reader.next(r).value());
    EXPECT_EQ(r.offset, Offset(1000));
    EXPECT_EQ(r.timestamp_ms, 50);
    EXPECT_EQ(r.key, "k");
    EXPECT_EQ(r.value, "v");
    std::vector<RecordHeader> headers = {{"h1", "x"}, {"h2", std::nullopt}, {"", ""}};
    EXPECT_EQ(r.headers, headers);
    ASSERT_TRUE(reader.next(r).value());
    EXPECT_EQ(r.timestamp_ms, 40);
    EXPECT_EQ(r.key, std::nullopt);
    EXPECT_EQ(r.value, long_value);
    ASSERT_TRUE(reader.next(r).value());
    EXPECT_EQ(r.offset, Offset(1010));
    EXPECT_EQ(r.value, std::nullopt);
    EXPECT_FALSE(reader.next(r).value());
  }
}

TEST(RecordReader, GivesTheAppendTimeOfALogAppendTimeBatch) {
  SlabArena arena;
  BatchBuilder builder;
  builder.log_append_time(999).add(1, "a", "b").add(2, "c", "d");
  auto run = builder.build_run(arena);
  const auto records = read_all(run).value();
  for (const auto& record : records) EXPECT_EQ(record.timestamp_ms, 999);
}

TEST(RecordReader, KeepsTimestampsAboveADeleteHorizon) {
  SlabArena arena;
  BatchBuilder builder;
  builder.delete_horizon(5000).add(1000, "a", std::nullopt).add(7000, "b", std::nullopt);
  auto run = builder.build_run(arena);
  EXPECT_TRUE(run.batches[0].has_delete_horizon());
  auto records = read_all(run).value();
  EXPECT_EQ(records[0].timestamp_ms, 1000);
  EXPECT_EQ(records[1].timestamp_ms, 7000);
  EXPECT_EQ(run.batches[0].max_timestamp, 7000);
}

TEST(RecordReader, ReadsMarkersOfTransactions) {
  SlabArena arena;
  BatchBuilder builder;
  builder.producer(7, 1, -1).add_marker(ControlType::kCommit, 12, 500);
  auto run = builder.build_run(arena);
  EXPECT_TRUE(run.batches[0].control());
  EXPECT_TRUE(run.batches[0].transactional());
  auto marker = read_marker(run.batches[0], run.bytes, 0).value();
  EXPECT_EQ(marker.type, ControlType::kCommit);
  EXPECT_EQ(marker.coordinator_epoch, 12);
  BatchBuilder plain;
  plain.add(1, "k", "v");
  run = plain.build_run(arena);
  EXPECT_EQ(read_marker(run.batches[0], run.bytes, 0).error(), ErrorCode::kCorrupt);
}

TEST(RecordReader, RefusesEveryTruncationOfThePayload) {
  SlabArena arena;
  for (auto codec : kAll) {
    BatchBuilder builder;
    builder.compression(codec);
    for (int i = 0; i < 20; ++i) builder.add(i, "key" + std::to_string(i), "value", {{"h", "v"}});
    auto whole = builder.build();
    ConstBytes payload = ConstBytes(whole).subspan(kBatchHeaderBytes);
    for (size_t n = codec == Compression::kNone ? 140 : 0; n < payload.size(); ++n) {
      auto run = raw_batch(arena, codec, 20, payload.first(n));
      auto records = read_all(run);
      // lz4 without its trailer bytes is still refused, as every codec is.
      EXPECT_FALSE(records.has_value()) << static_cast<int>(codec) << " cut to " << n << " of " << payload.size();
    }
  }
}

TEST(RecordReader, RefusesACountThatDisagreesWithTheBytes) {
  SlabArena arena;
  BatchBuilder builder;
  builder.add(1, "a", "b").add(2, "c", "d");
  auto whole = builder.build();
  ConstBytes payload = ConstBytes(whole).subspan(kBatchHeaderBytes);
  EXPECT_EQ(read_all(raw_batch(arena, Compression::kNone, 1, payload)).error(), ErrorCode::kCorrupt);
  EXPECT_TRUE(read_all(raw_batch(arena, Compression::kNone, 2, payload)).has_value());
  auto packed = compress(Compression::kZstd, payload);
  EXPECT_EQ(read_all(raw_batch(arena, Compression::kZstd, 3, packed)).error(), ErrorCode::kCorrupt);
}

TEST(RecordReader, RefusesADecompressionBomb) {
  SlabArena arena;
  std::vector<std::byte> zeros(32 << 20);
  DecompressLimits limits;
  limits.output_bytes_max = 1 << 20;
  for (auto codec : {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd}) {
    auto bomb = compress(codec, zeros);
    auto run = raw_batch(arena, codec, 1, bomb);
    EXPECT_EQ(read_all(run, limits).error(), ErrorCode::kResourceExhausted) << static_cast<int>(codec);
  }
  // The ratio binds when the output is large in itself.
  auto bomb = compress(Compression::kZstd, zeros);
  DecompressLimits by_ratio;
  by_ratio.ratio_max = 100;
  by_ratio.ratio_free_bytes = 1 << 20;
  EXPECT_EQ(read_all(raw_batch(arena, Compression::kZstd, 1, bomb), by_ratio).error(), ErrorCode::kResourceExhausted);
}

TEST(RecordReader, SurvivesRandomDamage) {
  const uint64_t seed = 4711;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  SlabArena arena;
  DecompressLimits limits;
  limits.output_bytes_max = limits.ratio_free_bytes = 1 << 20;
  int refused = 0;
  for (auto codec : kAll) {
    BatchBuilder builder;
    builder.compression(codec);
    for (int i = 0; i < 30; ++i) builder.add(i, "key" + std::to_string(i), std::string(i * 3, 'v'), {{"h", "v"}});
    auto good = builder.build();
    for (int round = 0; round < 400; ++round) {
      auto bytes = good;
      for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i)
        bytes[kBatchHeaderBytes + random.below(bytes.size() - kBatchHeaderBytes)] =
            static_cast<std::byte>(random.next());
      auto run = run_of(arena, bytes);
      if (!read_all(run, limits)) ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Decompress, ReadsRawSnappyAndSeveralGzipMembers) {
  std::string text(70000, 'q');
  auto xerial = compress(Compression::kSnappy, as_bytes(text));
  EXPECT_EQ(as_text(decompress(Compression::kSnappy, xerial, {}).value()), text);
  std::string small = "snappy without framing";
  std::vector<std::byte> raw{std::byte{static_cast<unsigned char>(small.size())},
                             std::byte{static_cast<unsigned char>((small.size() - 1) << 2)}};
  for (char c : small) raw.push_back(static_cast<std::byte>(c));
  EXPECT_EQ(as_text(decompress(Compression::kSnappy, raw, {}).value()), small);
  auto two = compress(Compression::kGzip, as_bytes("one "));
  auto second = compress(Compression::kGzip, as_bytes("two"));
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(as_text(decompress(Compression::kGzip, two, {}).value()), "one two");
}

TEST(Decompress, RoundTripsSizesAroundEveryBoundary) {
  Random random(1);
  for (auto codec : kAll) {
    for (size_t size : {1UL, 2UL, 16383UL, 16384UL, 16385UL, 32768UL, 32769UL, 65536UL, 200000UL}) {
      std::vector<std::byte> input(size);
      for (auto& b : input) b = static_cast<std::byte>(random.below(7));
      EXPECT_EQ(decompress(codec, compress(codec, input), {}).value(), input) << static_cast<int>(codec) << " " << size;
    }
  }
}

}  // namespace
}  // namespace farshore
