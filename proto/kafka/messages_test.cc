// Every message in every version: round trips, truncation, and bytes that were not made by us.
#include <gtest/gtest.h>

#include "base/testing/seed.h"
#include "proto/kafka/api_table.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/testing/random_messages.h"

namespace farshore::kafka {
namespace {

TEST(Messages, RandomValuesSurviveARoundTripInEveryVersion) {
  Random random(announced_seed(20261123));
  for (const MessageCase& each : message_cases()) {
    for (int16_t version = each.min_version; version <= each.max_version; ++version) {
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(each.round_trip_difference(random, version), "") << each.name << " version " << version;
      }
    }
  }
}

TEST(Messages, DecodeRefusesEveryTruncation) {
  Random random(announced_seed(20261123));
  for (const MessageCase& each : message_cases()) {
    for (int16_t version = each.min_version; version <= each.max_version; ++version) {
      Bytes whole = each.random(random, version);
      ASSERT_TRUE(each.decode(whole, version)) << each.name << " version " << version;
      for (size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(each.decode(ConstBytes(whole).first(size), version))
            << each.name << " version " << version << " cut to " << size << " of " << whole.size();
      }
    }
  }
}

TEST(Messages, DecodeSurvivesFlippedBytes) {
  Random random(announced_seed(20261123));
  for (const MessageCase& each : message_cases()) {
    for (int16_t version = each.min_version; version <= each.max_version; ++version) {
      for (int i = 0; i < 50; ++i) {
        Bytes bytes = each.random(random, version);
        if (bytes.empty()) continue;
        for (size_t n = 1 + random.below(3); n > 0; --n) {
          bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next());
        }
        (void)each.decode(bytes, version);
      }
    }
  }
}

TEST(Messages, EncodeAndDecodeRefuseUnknownVersions) {
  Writer writer;
  FetchRequest().encode(writer, FetchRequest::kMaxVersion + 1);
  auto written = writer.finish();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kUnsupported);
  Reader reader({});
  EXPECT_EQ(FetchRequest::decode(reader, 3).error().code, ErrorCode::kUnsupported);
}

TEST(Messages, EncodeRefusesAFieldThatTheVersionLacksUnlessIgnorable) {
  FetchRequest request;
  request.rack_id = "a";      // since version 11; may be ignored
  request.session_epoch = 7;  // since version 7; may be ignored
  Writer fine;
  request.encode(fine, 4);
  EXPECT_TRUE(fine.finish());
  request.forgotten_topics_data.emplace_back();  // since version 7; may not
  Writer writer;
  request.encode(writer, 4);
  auto written = writer.finish();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(written.error().detail.find("FetchRequest.forgotten_topics_data"), std::string::npos);
}

TEST(Messages, EncodeRefusesNullWhereTheVersionHasNone) {
  MetadataRequest request;
  request.topics.reset();  // all topics: null since version 1
  Writer writer;
  request.encode(writer, 0);
  EXPECT_EQ(writer.finish().error().code, ErrorCode::kInvalidArgument);
}

TEST(Messages, EncodeKeepsSlicesAndFileRangesAsPieces) {
  SlabArena arena;
  SlabWriter slabs(arena);
  std::memset(slabs.room(100).data(), 7, 100);
  SliceList slices;
  slices.append(slabs.take(100));
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  partition.records = Records(slices);
  FileRange range;
  range.position = 5;
  range.length = 1000;
  partition.records.append(range);
  Writer writer;
  response.encode(writer, 12);
  auto message = writer.finish();
  ASSERT_TRUE(message);
  ASSERT_EQ(message->pieces().size(), 4u);  // ours, slices, file, ours
  EXPECT_EQ(std::get<SliceList>(message->pieces()[1]).size(), 100u);
  EXPECT_EQ(std::get<FileRange>(message->pieces()[2]), range);
  uint64_t size = 0;
  for (const auto& piece : message->pieces()) {
    if (auto* own = std::get_if<WireMessage::OwnedRange>(&piece)) size += own->length;
  }
  EXPECT_EQ(message->size(), size + 1100);
}

TEST(ApiTable, IsSortedAndFindsEach) {
  int previous = -1;
  for (const ApiInfo& api : apis()) {
    EXPECT_LT(previous, api.key);
    previous = api.key;
    EXPECT_EQ(find_api(api.key), &api);
    EXPECT_EQ(api.is_private, api.key >= kPrivateApiKeysFrom);
    EXPECT_LE(api.advertised_min_version, api.min_version);
  }
  EXPECT_EQ(find_api(9999), nullptr);
  EXPECT_EQ(find_api(18)->response_header_version(4), 0);
  EXPECT_EQ(find_api(1)->response_header_version(12), 1);
  EXPECT_EQ(find_api(1)->request_header_version(11), 1);
}

}  // namespace
}  // namespace farshore::kafka
