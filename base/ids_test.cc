#include "base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace farshore {
namespace {

static_assert(!std::is_convertible_v<SourceOffset, TargetOffset>);
static_assert(!std::is_constructible_v<SourceOffset, TargetOffset>);
static_assert(!std::is_convertible_v<int64_t, SourceOffset>);
static_assert(!std::is_constructible_v<LinkId, SourceTopicId>);
static_assert(!std::is_convertible_v<Uuid, LinkId>);
static_assert(!std::is_convertible_v<std::string, ClusterId>);

TEST(StrongId, DifferenceOfTwoIdsIsAPlainNumber) {
  SourceOffset offset(40);
  ++offset;
  offset += 2;
  EXPECT_EQ(offset, SourceOffset(43));
  EXPECT_EQ(offset - 3, SourceOffset(40));
  EXPECT_EQ(offset - SourceOffset(40), 3);
  EXPECT_LT(SourceOffset(-1), SourceOffset(0));
}

TEST(Uuid, TextIsParsedBackToTheSameId) {
  Uuid id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<uint8_t>(i * 17 + 3);
  EXPECT_EQ(id.to_string().size(), 22u);
  auto parsed = Uuid::parse(id.to_string());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, id);
  EXPECT_EQ(Uuid().to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_TRUE(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAA")->is_zero());
}

TEST(Uuid, ParserRefusesOtherLengthsAndCharacters) {
  for (const char* text : {"", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA==",
                           "AAAAAAAAAAA+AAAAAAAAAA", "AAAAAAAAAAA/AAAAAAAAAA", "AAAAAAAAAAA AAAAAAAAAA"})
    EXPECT_EQ(Uuid::parse(text).error(), ErrorCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace farshore
