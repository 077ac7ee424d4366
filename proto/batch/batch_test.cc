#include "proto/batch/batch.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"
#include "proto/batch/builder.h"
#include "proto/batch/header_patch.h"

namespace farshore {
namespace {

std::vector<std::byte> sample(int64_t base_offset, int records) {
  BatchBuilder builder;
  builder.base_offset(base_offset).leader_epoch(3).producer(1000, 2, 40);
  for (int i = 0; i < records; ++i) builder.add(1700000000000 + i, "key" + std::to_string(i), "a value");
  return builder.build();
}

SliceList sliced(SlabArena& arena, ConstBytes bytes, size_t piece) {
  SliceList list;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    size_t n = std::min(piece, bytes.size() - at);
    SlabRef slab = arena.allocate(n);
    std::memcpy(slab.data(), bytes.data() + at, n);
    list.append(Slice(std::move(slab), 0, n));
  }
  return list;
}

std::vector<std::byte> joined(const SliceList& list) {
  std::vector<std::byte> out(list.size());
  list.copy_out(0, out);
  return out;
}

TEST(BatchHeader, StoresWhatItParsed) {
  auto bytes = sample(77, 5);
  auto header = BatchHeader::parse(bytes).value();
  EXPECT_EQ(header.first(), Offset(77));
  EXPECT_EQ(header.last(), Offset(81));
  EXPECT_EQ(header.next(), Offset(82));
  EXPECT_EQ(header.epoch(), LogEpoch(3));
  EXPECT_EQ(header.base_sequence, 40);
  EXPECT_EQ(header.last_sequence(), 44);
  EXPECT_EQ(header.size_bytes(), bytes.size());
  EXPECT_TRUE(header.contiguous());
  std::array<std::byte, kBatchHeaderBytes> raw;
  header.store(raw);
  EXPECT_TRUE(std::equal(raw.begin(), raw.end(), bytes.begin()));
}

TEST(BatchHeader, LastSequenceWrapsAtTwoToTheThirtyOne) {
  BatchHeader header;
  header.base_sequence = INT32_MAX - 1;
  header.last_offset_delta = 1;
  EXPECT_EQ(header.last_sequence(), INT32_MAX);
  header.last_offset_delta = 2;
  EXPECT_EQ(header.last_sequence(), 0);
  header.base_sequence = -1;
  EXPECT_EQ(header.last_sequence(), -1);
}

TEST(BatchHeader, ReportsFewerThanSixtyOneBytesAsTruncated) {
  auto bytes = sample(0, 1);
  for (size_t n = 0; n < kBatchHeaderBytes; ++n)
    EXPECT_EQ(BatchHeader::parse(ConstBytes(bytes).first(n)).error(), ErrorCode::kTruncated) << n;
}

TEST(BatchHeader, RefusesImpossibleFields) {
  struct Case {
    const char* what;
    size_t at;
    int64_t value;
    int width;
  };
  const Case cases[] = {
      {"magic 1", BatchField::kMagic, 1, 1},
      {"zero length, as in a hole of a sparse file", BatchField::kBatchLength, 0, 4},
      {"length below the header", BatchField::kBatchLength, 48, 4},
      {"negative length", BatchField::kBatchLength, -1, 4},
      {"negative base offset", BatchField::kBaseOffset, -1, 8},
      {"offset overflow", BatchField::kBaseOffset, INT64_MAX, 8},
      {"negative last_offset_delta", BatchField::kLastOffsetDelta, -1, 4},
      {"negative count", BatchField::kRecordCount, -1, 4},
      {"more records than offsets", BatchField::kRecordCount, 6, 4},
      {"unknown codec", BatchField::kAttributes, 5, 2},
  };
  for (const auto& c : cases) {
    auto bytes = sample(0, 5);
    switch (c.width) {
      case 1:
        store_be(bytes.data() + c.at, static_cast<int8_t>(c.value));
        break;
      case 2:
        store_be(bytes.data() + c.at, static_cast<int16_t>(c.value));
        break;
      case 4:
        store_be(bytes.data() + c.at, static_cast<int32_t>(c.value));
        break;
      default:
        store_be(bytes.data() + c.at, c.value);
    }
    auto header = BatchHeader::parse(bytes);
    ASSERT_FALSE(header) << c.what;
    EXPECT_EQ(header.error(), ErrorCode::kCorrupt) << c.what;
  }
}

TEST(BatchHeader, RefusesACountThatCannotFitItsBytes) {
  auto bytes = sample(0, 2);
  store_be(bytes.data() + BatchField::kLastOffsetDelta, 99999);
  store_be(bytes.data() + BatchField::kRecordCount, 100000);
  EXPECT_EQ(BatchHeader::parse(bytes).error(), ErrorCode::kCorrupt);
}

TEST(VerifyCrc, FindsEveryFlippedByteThatTheCrcCovers) {
  SlabArena arena;
  auto good = sample(5, 3);
  for (size_t at = BatchField::kCrc; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = good;
      bytes[at] ^= static_cast<std::byte>(1 << bit);
      auto header = BatchHeader::parse(bytes);
      if (!header) continue;
      ASSERT_EQ(header->size_bytes(), bytes.size());
      EXPECT_EQ(verify_crc(*header, sliced(arena, bytes, 64), 0).error(), ErrorCode::kCorrupt) << at << " bit " << bit;
    }
  }
}

TEST(VerifyCrc, RunsOverSlicesOfAnySize) {
  SlabArena arena;
  auto bytes = sample(0, 7);
  auto second = sample(7, 2);
  bytes.insert(bytes.end(), second.begin(), second.end());
  for (size_t piece : {1UL, 2UL, 17UL, 60UL, 61UL, 62UL, 1000UL}) {
    auto run = parse_batches(sliced(arena, bytes, piece), {}).value();
    ASSERT_EQ(run.batches.size(), 2U) << piece;
    EXPECT_TRUE(verify_crc(run).has_value()) << piece;
    EXPECT_TRUE(verify_crc(run.batches[1], run.bytes, run.batches[0].size_bytes()).has_value()) << piece;
    auto flipped = bytes;
    flipped.back() ^= std::byte{1};
    run = parse_batches(sliced(arena, flipped, piece), {}).value();
    EXPECT_EQ(verify_crc(run).error(), ErrorCode::kCorrupt) << piece;
  }
}

TEST(ParseBatches, LeavesOutAPartialBatchOnlyWhenAllowed) {
  SlabArena arena;
  auto first = sample(0, 2);
  auto bytes = first;
  auto second = sample(2, 2);
  bytes.insert(bytes.end(), second.begin(), second.end());
  for (size_t size = 0; size <= bytes.size(); ++size) {
    auto list = sliced(arena, ConstBytes(bytes).first(size), 50);
    ParseBatches partial;
    partial.allow_partial = true;
    auto run = parse_batches(list, partial).value();
    size_t whole = size < first.size() ? 0 : size < bytes.size() ? 1 : 2;
    EXPECT_EQ(run.batches.size(), whole) << size;
    EXPECT_EQ(run.bytes.size(), whole == 0 ? 0 : whole == 1 ? first.size() : bytes.size()) << size;
    auto strict = parse_batches(list, {});
    if (size == 0 || size == first.size() || size == bytes.size())
      EXPECT_TRUE(strict.has_value()) << size;
    else
      EXPECT_EQ(strict.error(), ErrorCode::kTruncated) << size;
  }
}

TEST(ParseBatches, RefusesDescendingOffsetsUnlessUnordered) {
  SlabArena arena;
  auto bytes = sample(10, 3);
  auto second = sample(12, 1);  // overlaps 10..12
  bytes.insert(bytes.end(), second.begin(), second.end());
  EXPECT_EQ(parse_batches(sliced(arena, bytes, 100), {}).error(), ErrorCode::kCorrupt);
  ParseBatches unordered;
  unordered.ordered = false;
  EXPECT_EQ(parse_batches(sliced(arena, bytes, 100), unordered)->batches.size(), 2U);
}

TEST(ParseBatches, RefusesABatchBeyondTheLimitFromItsHeaderAlone) {
  SlabArena arena;
  auto bytes = sample(0, 1);
  store_be(bytes.data() + BatchField::kBatchLength, int32_t{1 << 30});
  ParseBatches how;
  how.allow_partial = true;
  EXPECT_EQ(parse_batches(sliced(arena, bytes, 100), how).error(), ErrorCode::kResourceExhausted);
}

TEST(BatchRun, TakesFrontAndJoinsAgain) {
  SlabArena arena;
  std::vector<std::byte> bytes;
  for (int i = 0; i < 5; ++i) {
    auto one = sample(i * 10, i + 1);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  auto run = parse_batches(sliced(arena, bytes, 90), {}).value();
  auto front = run.take_front(2);
  EXPECT_EQ(front.batches.size(), 2U);
  EXPECT_EQ(run.first(), Offset(20));
  EXPECT_TRUE(verify_crc(front).has_value());
  EXPECT_TRUE(verify_crc(run).has_value());
  front.append(std::move(run));
  EXPECT_EQ(joined(front.bytes), bytes);
  EXPECT_EQ(front.next(), Offset(45));
}

TEST(Stamp, KeepsTheCrcAcrossSliceBorders) {
  SlabArena arena;
  for (size_t piece : {1UL, 5UL, 9UL, 13UL, 200UL}) {
    auto bytes = sample(0, 2);
    auto second = sample(0, 3);
    size_t begin = bytes.size();
    bytes.insert(bytes.end(), second.begin(), second.end());
    ParseBatches how;
    how.ordered = false;
    auto run = parse_batches(sliced(arena, bytes, piece), how).value();
    stamp(run, 1, begin, Offset(123456789012), LogEpoch(9));
    EXPECT_TRUE(verify_crc(run).has_value());
    auto again = BatchHeader::parse(ConstBytes(joined(run.bytes)).subspan(begin)).value();
    EXPECT_EQ(again.first(), Offset(123456789012));
    EXPECT_EQ(again.epoch(), LogEpoch(9));
    EXPECT_EQ(run.batches[1].first(), Offset(123456789012));
  }
}

TEST(HeaderPatch, PatchedCrcEqualsARecomputation) {
  const uint64_t seed = 20261123;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  SlabArena arena;
  for (int round = 0; round < 200; ++round) {
    auto bytes = sample(random.between(0, 1 << 20), static_cast<int>(1 + random.below(50)));
    auto run = parse_batches(sliced(arena, bytes, 1 + random.below(300)), {}).value();
    BatchHeader after = run.batches[0];
    after.producer_id = static_cast<int64_t>(random.next() >> 1);
    after.producer_epoch = static_cast<int16_t>(random.below(30000));
    after.base_sequence = static_cast<int32_t>(random.below(INT32_MAX));
    after.attributes = static_cast<int16_t>(after.attributes ^ 0x18);
    after.base_timestamp += random.between(-100000, 100000);
    after.max_timestamp = static_cast<int64_t>(random.next() >> 1);
    patch_header(run, 0, 0, after);
    EXPECT_TRUE(verify_crc(run).has_value());
    auto patched = joined(run.bytes);
    EXPECT_EQ(run.batches[0].crc, crc32c(ConstBytes(patched).subspan(BatchField::kAttributes)));
    EXPECT_EQ(BatchHeader::parse(patched)->producer_id, after.producer_id);
  }
}

TEST(HeaderPatch, KeepsACorruptCrcCorrupt) {
  SlabArena arena;
  auto good = sample(0, 3);
  for (size_t at = kBatchHeaderBytes; at < good.size(); ++at) {
    auto bytes = good;
    bytes[at] ^= std::byte{0x40};
    auto run = parse_batches(sliced(arena, bytes, 1000), {}).value();
    BatchHeader after = run.batches[0];
    after.producer_id = 5;
    patch_header(run, 0, 0, after);
    EXPECT_EQ(verify_crc(run).error(), ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace farshore
