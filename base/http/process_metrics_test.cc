#include "base/http/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(ProcessMetrics, StatOfAProcessIsReadAlsoIfItsNameHasBracketsAndSpaces) {
  const auto stat = parse_process_stat(
      "42 (a) b (c) S 1 42 42 0 -1 4194560 10 0 0 0 250 150 0 0 20 0 7 0 12300 8192000 500 18446744073709551615", 100,
      4096);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->cpu_seconds, 4.0);
  EXPECT_EQ(stat->started_after_boot_seconds, 123.0);
  EXPECT_EQ(stat->virtual_bytes, 8192000);
  EXPECT_EQ(stat->resident_bytes, 500 * 4096);
  EXPECT_EQ(stat->threads, 7);
}

TEST(ProcessMetrics, StatThatIsCutOffIsNoFigure) {
  EXPECT_FALSE(parse_process_stat("", 100, 4096));
  EXPECT_FALSE(parse_process_stat("42 (a) S 1 42", 100, 4096));
  EXPECT_FALSE(parse_process_stat("42 (a) S 1 42 42 0 -1 1 1 0 0 0 x 150 0 0 20 0 7 0 1 1 1", 100, 4096));
}

TEST(ProcessMetrics, FiguresOfThisProcessAreThere) {
  const std::string text = render_process_metrics();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds",
                           "process_open_fds", "process_max_fds"})
    EXPECT_THAT(text, ::testing::HasSubstr(std::string("\n") + name + " ")) << name;
}

}  // namespace
}  // namespace farshore
