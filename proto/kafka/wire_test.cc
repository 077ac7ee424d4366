#include "proto/kafka/wire.h"

#include <gtest/gtest.h>

#include <limits>

#include "proto/kafka/messages/header.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {
namespace {

Bytes hex(std::string_view text) {
  Bytes bytes;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string digits;
  for (char c : text) {
    if (c != ' ') digits += c;
  }
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(digits[i]) * 16 + digit(digits[i + 1])));
  }
  return bytes;
}

// Zigzag examples of the protocol buffers specification, which Kafka uses.
TEST(Writer, EncodesVarintsAsTheSpecificationShows) {
  Writer writer;
  writer.unsigned_varint(300);
  writer.varint(-1);
  writer.varint(2147483647);
  writer.varlong(std::numeric_limits<int64_t>::min());
  Bytes bytes = writer.finish().value().to_bytes();
  EXPECT_EQ(bytes, hex("ac02 01 feffffff0f ffffffffffffffffff01"));
  Reader reader(bytes);
  EXPECT_EQ(reader.unsigned_varint(), 300u);
  EXPECT_EQ(reader.varint(), -1);
  EXPECT_EQ(reader.varint(), 2147483647);
  EXPECT_EQ(reader.varlong(), std::numeric_limits<int64_t>::min());
  EXPECT_TRUE(reader.finish());
}

TEST(Reader, RefusesAVarintThatNeverEnds) {
  Bytes bytes = hex("ffffffffffffffffffffffff");
  Reader reader(bytes);
  reader.unsigned_varint();
  EXPECT_EQ(reader.status().error().code, ErrorCode::kCorrupt);
  Reader wide(bytes);
  wide.varlong();
  EXPECT_EQ(wide.status().error().code, ErrorCode::kCorrupt);
}

TEST(Reader, ReturnsZeroAfterTheFirstError) {
  Bytes bytes = hex("0001 0002");
  Reader reader(bytes);
  EXPECT_EQ(reader.i16(), 1);
  EXPECT_EQ(reader.i64(), 0);
  EXPECT_EQ(reader.i16(), 0);
  EXPECT_EQ(reader.string(false), "");
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_FALSE(reader.finish());
}

TEST(Reader, RefusesBytesLeftOver) {
  Bytes bytes = hex("0001 00");
  Reader reader(bytes);
  reader.i16();
  EXPECT_TRUE(reader.status());
  EXPECT_FALSE(reader.finish());
}

TEST(Reader, RefusesHugeCountsWithoutTakingMemory) {
  Bytes bytes = hex("7fffffff 00000000");
  Reader reader(bytes);
  EXPECT_EQ(reader.array(false, 1, 8), 0);
  EXPECT_EQ(reader.status().error().code, ErrorCode::kCorrupt);
  Bytes compact = hex("ffffffff0f 00000000");
  Reader flexible(compact);
  EXPECT_EQ(flexible.array(true, 1, 8), 0);
  EXPECT_FALSE(flexible.status());
}

TEST(Reader, RefusesSmallElementsThatDecodeBeyondTheBudget) {
  // A Metadata request of one-byte topic names: 3 bytes each on the wire, some 60 in memory.
  const int32_t count = 100000;
  Writer writer;
  writer.array(false, count);
  for (int32_t i = 0; i < count; ++i) writer.string(false, "t");
  Bytes bytes = writer.finish().value().to_bytes();
  Reader reader(bytes);
  auto decoded = MetadataRequest::decode(reader, 0);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kResourceExhausted);
}

TEST(Reader, RefusesTwentyMillionTaggedFieldsAtOnce) {
  Writer writer;
  writer.tag_count(20'000'000);
  for (int i = 0; i < 1000; ++i) writer.unsigned_varint(0);
  Bytes bytes = writer.finish().value().to_bytes();
  Reader reader(bytes);
  reader.skip_tagged_fields();
  EXPECT_EQ(reader.status().error().code, ErrorCode::kResourceExhausted);
}

TEST(Reader, SkipsUnknownTaggedFields) {
  Bytes bytes = hex("0012 0004 0000002a ffff 02 05 03 aabbcc 09 00");  // a request header with tags 5 and 9
  Reader reader(bytes);
  auto header = RequestHeader::decode(reader, 2);
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(header->request_api_key, 18);
  EXPECT_EQ(header->correlation_id, 42);
  EXPECT_FALSE(header->client_id);
}

TEST(Reader, RefusesTaggedFieldsOutOfOrder) {
  Bytes bytes = hex("02 05 00 05 00");
  Reader reader(bytes);
  reader.skip_tagged_fields();
  EXPECT_EQ(reader.status().error().code, ErrorCode::kCorrupt);
}

TEST(Reader, RefusesToReadBeyondATaggedField) {
  Bytes bytes = hex("01 00 02 0001 00000000");
  Reader reader(bytes);
  ASSERT_EQ(reader.tag_count(), 1u);
  auto tag = reader.begin_tag(-1);
  reader.i32();  // the field has two bytes
  reader.end_tag(tag);
  EXPECT_FALSE(reader.status());
}

TEST(Writer, PutsTheSizeBeforeATaggedField) {
  Writer writer;
  writer.tag_count(1);
  writer.begin_tag(3);
  writer.raw(Bytes(200, std::byte{1}));
  writer.end_tag();
  Bytes bytes = writer.finish().value().to_bytes();
  ASSERT_EQ(bytes.size(), 204u);
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 5), hex("01 03 c801 01"));
}

TEST(ReaderAndWriter, RefuseStringsBeyondTheLimit) {
  Writer writer;
  writer.string(true, std::string(40000, 'a'));
  EXPECT_EQ(writer.finish().error().code, ErrorCode::kInvalidArgument);
  Writer raw;
  raw.unsigned_varint(40001);
  raw.raw(Bytes(40000, std::byte{'a'}));
  Bytes bytes = raw.finish().value().to_bytes();
  Reader reader(bytes);
  reader.string(true);
  EXPECT_EQ(reader.status().error().code, ErrorCode::kResourceExhausted);
}

TEST(Reader, RefusesNegativeLengths) {
  Bytes bytes = hex("fffe");
  Reader reader(bytes);
  reader.nullable_string(false);
  EXPECT_EQ(reader.status().error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace farshore::kafka
