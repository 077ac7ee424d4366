#include "broker/groups/group_records.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace farshore::broker {
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

OffsetRecord offset_record() {
  OffsetRecord record;
  record.group = "g";
  record.partition.topic = "t";
  record.partition.partition = 3;
  record.value.emplace();
  record.value->offset = Offset(42);
  record.value->leader_epoch = 7;
  record.value->metadata = "m";
  record.value->commit_ms = 1000;
  return record;
}

CoordinatorRecord round_trip(const CoordinatorRecord& record) {
  auto encoded = encode_record(record);
  EXPECT_TRUE(encoded);
  auto decoded =
      decode_record(encoded->key, encoded->value ? std::optional<std::string_view>(*encoded->value) : std::nullopt);
  EXPECT_TRUE(decoded) << decoded.error().to_string();
  return *decoded;
}

// Bytes as Kafka 4.1 writes them: int16 type 1, then strings and numbers; value version 4 is flexible (compact string,
// tagged fields).
TEST(GroupRecords, OffsetCommitHasKafkasBytes) {
  auto encoded = encode_record(offset_record());
  ASSERT_TRUE(encoded);
  EXPECT_EQ(hex(encoded->key),
            "0001"
            "000167"
            "000174"
            "00000003");
  EXPECT_EQ(hex(*encoded->value),
            "0004"
            "000000000000002a"
            "00000007"
            "026d"
            "00000000000003e8"
            "00");
}

TEST(GroupRecords, OffsetCommitWithItsOwnExpiryIsVersionOne) {
  auto record = offset_record();
  record.value->expire_ms = 5000;
  auto encoded = encode_record(record);
  ASSERT_TRUE(encoded);
  EXPECT_EQ(hex(*encoded->value),
            "0001"
            "000000000000002a"
            "00016d"
            "00000000000003e8"
            "0000000000001388");
}

TEST(GroupRecords, GroupMetadataHasKafkasBytes) {
  GroupRecord record;
  record.group = "g";
  record.value.emplace();
  record.value->protocol_type = "consumer";
  record.value->generation = 2;
  record.value->protocol.reset();
  record.value->leader.reset();
  record.value->current_state_timestamp = 9;
  auto encoded = encode_record(record);
  ASSERT_TRUE(encoded);
  EXPECT_EQ(hex(encoded->key),
            "0002"
            "000167");
  EXPECT_EQ(hex(*encoded->value),
            "0003"
            "0008"
            "636f6e73756d6572"
            "00000002"
            "ffff"
            "ffff"
            "0000000000000009"
            "00000000");
}

TEST(GroupRecords, RecordsComeBackAsTheyWere) {
  EXPECT_EQ(round_trip(offset_record()), CoordinatorRecord(offset_record()));
  OffsetRecord tombstone = offset_record();
  tombstone.value.reset();
  EXPECT_EQ(round_trip(tombstone), CoordinatorRecord(tombstone));
  GroupRecord group;
  group.group = "gruppe";
  EXPECT_EQ(round_trip(group), CoordinatorRecord(group));
  auto& value = group.value.emplace();
  value.protocol_type = "consumer";
  value.generation = 5;
  value.protocol = "range";
  value.leader = "m1";
  auto& member = value.members.emplace_back();
  member.member_id = "m1";
  member.group_instance_id = "i";
  member.client_id = "c";
  member.client_host = "/h";
  member.rebalance_timeout = 1;
  member.session_timeout = 2;
  member.subscription = {std::byte{1}};
  member.assignment = {std::byte{2}, std::byte{3}};
  EXPECT_EQ(round_trip(group), CoordinatorRecord(group));
}

TEST(GroupRecords, KeysOfTheFirstFormatAreStillRead) {
  auto encoded = encode_record(offset_record());
  std::string key = encoded->key;
  key[1] = 0;
  auto decoded = decode_record(key, *encoded->value);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, CoordinatorRecord(offset_record()));
}

TEST(GroupRecords, TypesOfOtherProtocolsAreForeignNotCorrupt) {
  auto decoded = decode_record(std::string_view("\0\3\0\1g", 5), std::nullopt);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<ForeignRecord>(*decoded).type, 3);
}

TEST(GroupRecords, DamageIsCorrupt) {
  auto encoded = encode_record(offset_record());
  for (auto [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {encoded->key.substr(0, 5), *encoded->value},
                                                        {encoded->key, encoded->value->substr(0, 6)},
                                                        {encoded->key, ""},
                                                        {encoded->key, std::string("\x7f\x00", 2) + *encoded->value}}) {
    auto decoded = decode_record(key, value);
    ASSERT_FALSE(decoded);
    EXPECT_TRUE(decoded.error() == ErrorCode::kCorrupt) << decoded.error().to_string();
  }
}

// Expected values from java.lang.String.hashCode.
TEST(GroupRecords, GroupsAreHashedAsJavaHashesStrings) {
  constexpr int32_t whole = INT32_MAX;
  EXPECT_EQ(group_partition("", 50), 0);
  EXPECT_EQ(group_partition("a", whole), 97);
  EXPECT_EQ(group_partition("my-group", whole), 1906497762);
  EXPECT_EQ(group_partition("ä", whole), 0xe4);
  EXPECT_EQ(group_partition("€", whole), 0x20ac);
  EXPECT_EQ(group_partition("😀", whole), 31 * 0xd83d + 0xde00);
  EXPECT_EQ(group_partition("polygenelubricants", 50), 0);  // hash is -2^31, whose absolute value Kafka takes as 0
}

}  // namespace
}  // namespace farshore::broker
