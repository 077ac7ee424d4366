#include "base/repeated_lines.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

class RepeatedLinesTest : public ::testing::Test {
 protected:
  std::vector<std::string> refuse(const std::string& topic, const std::string& error) {
    std::vector<std::string> texts;
    for (auto& line : lines_.next(LogLevel::kWarn, "refused", {{"topic", topic}, {"error", error}}, now_))
      texts.push_back(line.text);
    return texts;
  }
  using Texts = std::vector<std::string>;
  RepeatedLines lines_;
  MonoTime now_ = MonoTime() + hours(1);
};

TEST_F(RepeatedLinesTest, SameLineIsWrittenOnceThenOnceAMinuteWithItsCount) {
  EXPECT_EQ(refuse("a", "gone"), Texts{"refused topic=a error=gone"});
  for (int second = 1; second < 60; ++second) {
    now_ += seconds(1);
    EXPECT_EQ(refuse("a", "gone"), Texts()) << second;
  }
  now_ += seconds(1);
  EXPECT_EQ(refuse("a", "gone"), Texts{"refused topic=a error=gone repeated=59"});
  now_ += seconds(1);
  EXPECT_EQ(refuse("a", "gone"), Texts());
}

TEST_F(RepeatedLinesTest, NumbersInsideOfAnErrorMakeNoOtherLine) {
  EXPECT_EQ(refuse("a", "no answer for 5000 ms").size(), 1u);
  EXPECT_EQ(refuse("a", "no answer for 123 ms"), Texts());
  EXPECT_EQ(refuse("a", "closed"), Texts{"refused topic=a error=closed"});
  EXPECT_EQ(refuse("a1", "closed"), Texts{"refused topic=a1 error=closed"});
  EXPECT_EQ(refuse("a2", "closed"), Texts{"refused topic=a2 error=closed"});
}

TEST_F(RepeatedLinesTest, CountOfALineThatStoppedIsWrittenWithTheNextLineOfAnyKind) {
  (void)refuse("a", "gone");
  (void)refuse("a", "gone");
  now_ += minutes(5);
  EXPECT_EQ(refuse("b", "gone"), (Texts{"refused topic=b error=gone", "refused topic=a error=gone repeated=1"}));
  now_ += minutes(5);
  EXPECT_EQ(refuse("a", "gone"), Texts{"refused topic=a error=gone"});
}

TEST_F(RepeatedLinesTest, ChangesOfAStateAreAlwaysWritten) {
  for (int i = 0; i < 3; ++i) {
    auto lines = lines_.next(LogLevel::kError, "topic", {{"from", "ACTIVE"}, {"to", "FAILED"}}, now_);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].text, "topic from=ACTIVE to=FAILED");
  }
}

TEST_F(RepeatedLinesTest, ManyDifferentLinesOfOneEventAreBounded) {
  size_t written = 0;
  for (int topic = 0; topic < 10'000; ++topic) written += refuse("t" + std::to_string(topic), "gone").size();
  EXPECT_EQ(written, RepeatedLines::kLinesMax);
  now_ += minutes(1);
  EXPECT_EQ(refuse("t0", "gone"),
            (Texts{"refused topic=t0 error=gone", "refused: 9950 other lines of this event were left out"}))
      << "no line of one topic stands for those of others";
}

TEST_F(RepeatedLinesTest, CountOfOthersHasTheirMostSevereLevel) {
  for (int topic = 0; topic < 60; ++topic) (void)refuse("t" + std::to_string(topic), "gone");
  (void)lines_.next(LogLevel::kError, "refused", {{"topic", "bad"}}, now_);
  (void)refuse("last", "gone");
  now_ += minutes(1);
  auto lines = lines_.due(now_);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, LogLevel::kError);
  EXPECT_EQ(lines[0].text, "refused: 12 other lines of this event were left out");
}

TEST_F(RepeatedLinesTest, FieldWithAUnitMakesNoOtherLine) {
  auto full = [&](const std::string& bytes) {
    return lines_.next(LogLevel::kError, "disk full", {{"directory", "/d"}, {"free_bytes", bytes}}, now_).size();
  };
  EXPECT_EQ(full("100"), 1u);
  EXPECT_EQ(full("99"), 0u);
}

}  // namespace
}  // namespace farshore
