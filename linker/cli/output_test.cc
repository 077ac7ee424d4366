#include "linker/cli/output.h"

#include <gtest/gtest.h>

#include "proto/control/control.pb.h"

namespace farshore::cli {
namespace {

TEST(Output, JsonKeepsNumbersAsNumbersAndDefaultsPresent) {
  control::v1::TranslateOffsetReply reply;
  reply.set_target_offset(1LL << 40);
  auto json = to_json(reply);
  EXPECT_EQ(json["target_offset"], 1LL << 40);
  EXPECT_TRUE(json["target_offset"].is_number());
  EXPECT_EQ(json["source_offset"], 0);
  EXPECT_EQ(json["exact"], false);
}

TEST(Output, JsonShowsMapsListsAndAbsentMessages) {
  control::v1::Link link;
  (*link.mutable_mirror_state_count())["ACTIVE"] = 3;
  link.mutable_spec()->add_topics()->set_name("orders");
  auto json = to_json(link);
  EXPECT_EQ(json["mirror_state_count"]["ACTIVE"], 3);
  EXPECT_EQ(json["spec"]["topics"][0]["name"], "orders");
  EXPECT_EQ(json["spec"]["topics"][0]["pattern"], "LITERAL");
  EXPECT_TRUE(json["spec"]["source"].is_null());
}

TEST(Output, TablesAlignAndEndWithoutBlanks) {
  Table table({"NAME", "STATE"});
  table.row({"a-long-name", "ACTIVE"});
  table.row({"b", ""});
  EXPECT_EQ(table.to_string(), "NAME         STATE\na-long-name  ACTIVE\nb\n");
}

TEST(Output, FiguresArePrintedWithUnitsAndSeparators) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(3.5 * 1024 * 1024), "3.5 MiB");
  EXPECT_EQ(human_duration_ms(120), "120 ms");
  EXPECT_EQ(human_duration_ms(302'000), "5 min 2 s");
  EXPECT_EQ(human_count(1234567), "1,234,567");
  EXPECT_EQ(human_count(-100), "-100");
  EXPECT_EQ(human_time_ms(0), "-");
  EXPECT_EQ(human_losses(0, 0), "");
  EXPECT_EQ(human_losses(1, 1), "1 range, 1 offset");
  EXPECT_EQ(human_losses(3, 1200), "3 ranges, 1,200 offsets");
}

}  // namespace
}  // namespace farshore::cli
