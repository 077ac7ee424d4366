#include "base/logger.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(LogLine, SpecialCharactersAreQuotedAndStayOnOneLine) {
  EXPECT_EQ(format_log_line("listening", {{"port", 9092}, {"ok", true}, {"topic", "a-b_c.d"}}),
            "listening port=9092 ok=true topic=a-b_c.d");
  EXPECT_EQ(format_log_line("bad\nevent", {{"text", "a \"b\"\\\n\x01"}, {"empty", ""}}),
            "bad\\nevent text=\"a \\\"b\\\"\\\\\\n\\x01\" empty=\"\"");
  EXPECT_EQ(format_log_line("failed", {{"error", Error(ErrorCode::kNotFound, "no file")}}),
            "failed error=\"not found: no file\"");
}

}  // namespace
}  // namespace farshore
