#include "broker/log/internal/log_validator.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct LogValidatorTest : LogTest {};

TEST_F(LogValidatorTest, ClientBatchesThatBreakTopicSettingsAreRefused) {
  options.max_message_bytes = 200;
  set_options();
  EXPECT_EQ(append(batch_of(50))->outcome, AppendOutcome::kMessageTooLarge);
  EXPECT_EQ(append(batch_of(1, host->wall_ms() + 2 * 3600 * 1000))->outcome, AppendOutcome::kInvalidTimestamp);
  EXPECT_TRUE(append(batch_of(1, host->wall_ms() + 1000)));
  options.timestamp_before_max_ms = 1000;
  set_options();
  EXPECT_EQ(append(batch_of(1, host->wall_ms() - 2000))->outcome, AppendOutcome::kInvalidTimestamp);
  BatchBuilder stamped = batch_of(1);
  stamped.log_append_time(5);
  EXPECT_EQ(append(stamped)->outcome, AppendOutcome::kInvalidTimestamp);
  BatchBuilder marker;
  marker.producer(1, 0, -1).add_marker(ControlType::kAbort, 0, 1);
  EXPECT_EQ(append(marker)->outcome, AppendOutcome::kInvalidRecord);
  BatchBuilder gap;
  gap.add(host->wall_ms(), "a", "b").add_at(5, host->wall_ms(), "c", "d");
  EXPECT_EQ(append(gap)->outcome, AppendOutcome::kInvalidRecord);
  options.cleanup_policy = CleanupPolicy::kCompact;
  set_options();
  BatchBuilder keyless;
  keyless.compression(Compression::kZstd).add(host->wall_ms(), "a", "b").add(host->wall_ms(), std::nullopt, "b");
  auto refused = append(keyless).value();
  EXPECT_EQ(refused.outcome, AppendOutcome::kInvalidRecord);
  EXPECT_NE(refused.refusal.find("key"), std::string::npos);
  EXPECT_EQ(log->ends().end, Offset(1));
}

}  // namespace
}  // namespace farshore::log_test
