#include "offsets/translation/records.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/testing/seed.h"

namespace farshore {
namespace {

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

LinkPartition some_key() {
  LinkPartition key;
  Uuid link, topic;
  link.bytes.fill(0x11);
  topic.bytes.fill(0x22);
  key.link = LinkId(link);
  key.source_topic = SourceTopicId(topic);
  key.partition = PartitionId(3);
  return key;
}

RunRecord some_run() {
  RunRecord record;
  record.key = some_key();
  record.run.source = SourceOffset(100);
  record.run.target = TargetOffset(205);
  record.run.length = 50;
  record.run.source_epoch = LogEpoch(7);
  record.run.target_epoch = LeadershipEpoch(2);
  return record;
}

AnchorRecord some_anchor() {
  AnchorRecord record;
  record.key = some_key();
  record.anchor.producer.id = 4000;
  record.anchor.producer.epoch = 5;
  record.anchor.sequence = 9;
  record.anchor.source = SourceOffset(100);
  record.anchor.source_epoch = LogEpoch(7);
  record.anchor.target_from = TargetOffset(204);
  return record;
}

Result<TranslationRecord> decode(const EncodedTranslation& bytes) {
  std::optional<std::string_view> value;
  if (bytes.value) value = *bytes.value;
  return decode_translation(bytes.key, value);
}

constexpr char kLinkAndTopic[] = "1111111111111111111111111111111122222222222222222222222222222222";

TEST(TranslationRecords, RunHasTheBytesOfFormatMd) {
  auto encoded = encode_translation(some_run());
  ASSERT_TRUE(encoded);
  EXPECT_EQ(hex(encoded->key), std::string("0001") + kLinkAndTopic + "00000003" + "00000007" + "0000000000000064");
  ASSERT_TRUE(encoded->value);
  EXPECT_EQ(hex(*encoded->value),
            "0000"
            "00000000000000cd"
            "0000000000000032"
            "00000002"
            "00");
}

TEST(TranslationRecords, AnchorHasTheBytesOfFormatMd) {
  auto encoded = encode_translation(some_anchor());
  ASSERT_TRUE(encoded);
  EXPECT_EQ(hex(encoded->key),
            std::string("0002") + kLinkAndTopic + "00000003" + "0000000000000fa0" + "0005" + "00000009");
  ASSERT_TRUE(encoded->value);
  EXPECT_EQ(hex(*encoded->value),
            "0000"
            "0000000000000064"
            "00000007"
            "00000000000000cc"
            "00");
}

TEST(TranslationLog, HashOfAKeyNeverChanges) {
  LinkPartition key;
  EXPECT_EQ(translation_log_partition(key), 5);
  EXPECT_EQ(translation_log_partition(some_key()), 12);
  std::vector<int> used(kTranslationLogPartitions);
  for (int32_t p = 0; p < 1600; ++p) {
    key.partition = PartitionId(p);
    ++used.at(static_cast<size_t>(translation_log_partition(key)));
  }
  for (int count : used) EXPECT_GT(count, 50);
}

TEST(TranslationRecords, RandomRecordsAreDecodedAsTheyWereEncoded) {
  Random random(announced_seed(20261126));
  for (int i = 0; i < 500; ++i) {
    RunRecord run = some_run();
    run.key.link = LinkId(random.uuid());
    run.key.partition = PartitionId(static_cast<int32_t>(random.below(1 << 20)));
    run.run.source = SourceOffset(random.between(0, INT64_MAX / 2));
    run.run.target = TargetOffset(random.between(0, INT64_MAX / 2));
    run.run.length = random.between(0, INT64_MAX / 2);
    run.run.source_epoch = LogEpoch(static_cast<int32_t>(random.between(-1, INT32_MAX)));
    run.run.target_epoch = LeadershipEpoch(static_cast<int32_t>(random.between(-1, INT32_MAX)));
    auto encoded = encode_translation(run);
    ASSERT_TRUE(encoded);
    auto decoded = decode(*encoded);
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_TRUE(*decoded == TranslationRecord(run));
  }
  auto anchor = decode(encode_translation(some_anchor()).value());
  ASSERT_TRUE(anchor);
  EXPECT_TRUE(*anchor == TranslationRecord(some_anchor()));
}

TEST(TranslationRecords, TombstoneNamesItsRecordOnly) {
  RunRecord run = some_run();
  run.erased = true;
  auto encoded = encode_translation(run);
  ASSERT_TRUE(encoded);
  EXPECT_FALSE(encoded->value);
  EXPECT_EQ(encoded->key, encode_translation(some_run())->key);
  auto decoded = decode(*encoded);
  ASSERT_TRUE(decoded);
  const auto& back = std::get<RunRecord>(*decoded);
  EXPECT_TRUE(back.erased);
  EXPECT_EQ(back.run.source, run.run.source);
  EXPECT_EQ(back.run.source_epoch, run.run.source_epoch);
}

TEST(TranslationRecords, RunsOfOneSourceOffsetInTwoEpochsHaveTwoKeys) {
  RunRecord later = some_run();
  later.run.source_epoch = LogEpoch(8);
  EXPECT_NE(encode_translation(later)->key, encode_translation(some_run())->key);
}

TEST(TranslationRecords, DecoderRefusesRecordsOfALaterFarshore) {
  auto encoded = encode_translation(some_run()).value();
  std::string key = encoded.key;
  key[1] = 9;
  EXPECT_EQ(decode_translation(key, *encoded.value).error().code, ErrorCode::kUnsupported);
  std::string value = *encoded.value;
  value[1] = 1;
  EXPECT_EQ(decode_translation(encoded.key, value).error().code, ErrorCode::kUnsupported);
}

TEST(TranslationRecords, DecoderRefusesImpossibleNumbers) {
  auto corrupt = [](std::string_view key, std::optional<std::string_view> value) {
    auto decoded = decode_translation(key, value);
    return !decoded && decoded.error().code == ErrorCode::kCorrupt;
  };
  for (const TranslationRecord& record : {TranslationRecord(some_run()), TranslationRecord(some_anchor())}) {
    auto encoded = encode_translation(record).value();
    for (size_t size = 0; size < encoded.key.size(); ++size)
      EXPECT_TRUE(corrupt(std::string_view(encoded.key).substr(0, size), *encoded.value)) << "key cut to " << size;
    for (size_t size = 0; size < encoded.value->size(); ++size)
      EXPECT_TRUE(corrupt(encoded.key, std::string_view(*encoded.value).substr(0, size))) << "value cut to " << size;
    EXPECT_TRUE(corrupt(encoded.key + "x", *encoded.value));
    EXPECT_TRUE(corrupt(encoded.key, *encoded.value + "x"));
    std::string negative = encoded.key;
    negative[2 + 16 + 16] = '\xff';  // the partition's first byte
    EXPECT_TRUE(corrupt(negative, *encoded.value));
  }
  auto encoded = encode_translation(some_run()).value();
  std::string huge = *encoded.value;
  huge[2] = '\x7f';   // target
  huge[10] = '\x7f';  // length
  EXPECT_TRUE(corrupt(encoded.key, huge));
}

TEST(TranslationRecords, EncoderRefusesImpossibleNumbers) {
  RunRecord run = some_run();
  run.run.length = -1;
  EXPECT_FALSE(encode_translation(run));
  run = some_run();
  run.run.source = SourceOffset(INT64_MAX);
  EXPECT_FALSE(encode_translation(run));
  AnchorRecord anchor = some_anchor();
  anchor.anchor.producer.id = -1;
  EXPECT_FALSE(encode_translation(anchor));
}

TEST(TranslationRecords, DecoderSurvivesFlippedBytes) {
  Random random(announced_seed(20261126));
  for (int i = 0; i < 5000; ++i) {
    auto encoded = encode_translation(i % 2 ? TranslationRecord(some_run()) : TranslationRecord(some_anchor())).value();
    std::string& into = random.chance(0.5) ? encoded.key : *encoded.value;
    for (size_t n = 1 + random.below(3); n > 0; --n) into[random.below(into.size())] = static_cast<char>(random.next());
    auto decoded = decode(encoded);
    if (!decoded) continue;
    EXPECT_TRUE(encode_translation(*decoded)) << "what is read can be written";
  }
}

TEST(TranslationRecords, AnchorThatSettlesComesBackAndOthersAreWrittenAsBefore) {
  AnchorRecord record;
  record.key.partition = PartitionId(3);
  record.anchor.producer = {7, 2};
  record.anchor.source = SourceOffset(50);
  record.anchor.target_from = TargetOffset(70);
  const auto plain = encode_translation(record).value();
  EXPECT_EQ(plain.value->back(), '\0') << "no tagged fields";
  record.anchor.settles = true;
  const auto settles = encode_translation(record).value();
  EXPECT_EQ(settles.key, plain.key);
  EXPECT_GT(settles.value->size(), plain.value->size());
  EXPECT_EQ(decode_translation(settles.key, *settles.value).value(), TranslationRecord(record));
}

}  // namespace
}  // namespace farshore
