#include "proto/kafka/error_code.h"

#include <gtest/gtest.h>

namespace farshore::kafka {
namespace {

TEST(ErrorCode, CodeOfAnErrorIsFoundAgainInItsText) {
  for (const ErrorInfo& info : errors()) {
    if (info.code == ErrorCode::kNone) continue;
    const Error error = to_error(info.code, "Fetch").in("broker b:9092");
    EXPECT_EQ(code_in(error), static_cast<int16_t>(info.code)) << error.detail;
  }
}

TEST(ErrorCode, ErrorThatIsNotKafkasHasNoCode) {
  EXPECT_EQ(code_in(Error(farshore::ErrorCode::kTimedOut, "no answer")), 0);
  EXPECT_EQ(code_in(Error()), 0);
}

}  // namespace
}  // namespace farshore::kafka
