#include "linker/printable.h"

#include <gtest/gtest.h>

#include "proto/control/control.pb.h"

namespace farshore::linker {
namespace {

TEST(Printable, Utf8StaysAsItIs) {
  for (std::string text : {"", "readers", "lecteurs priv\xC3\xA9s", "\xE2\x82\xAC", "\xF0\x9F\x9A\xA2", "\xED\x9F\xBF",
                           "\xF4\x8F\xBF\xBF", "a\\x41"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, OtherBytesAreWrittenInHex) {
  EXPECT_EQ(printable("group-\xFF"), "group-\\xff");
  EXPECT_EQ(printable("\xC3"), "\\xc3");                             // cut off
  EXPECT_EQ(printable("\xC3("), "\\xc3(");                           // what follows is not lost
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xE0\x80\x80"), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST(Printable, EveryStringFieldOfAMessageIsMadePrintable) {
  control::v1::ListGroupSyncReply reply;
  auto& group = *reply.add_groups();
  group.set_group("a\xFE");
  group.add_partitions()->set_topic("t\xC3\xA9");
  reply.add_groups()->set_group("plain");
  make_printable(reply);
  EXPECT_EQ(reply.groups(0).group(), "a\\xfe");
  EXPECT_EQ(reply.groups(0).partitions(0).topic(), "t\xC3\xA9");
  EXPECT_EQ(reply.groups(1).group(), "plain");
  control::v1::ListGroupSyncReply read;
  EXPECT_TRUE(read.ParseFromString(reply.SerializeAsString())) << "a proto3 string that is no UTF-8 cannot be read";

  control::v1::CreateLinkReply plan;
  plan.add_plan("\xFF");
  make_printable(plan);
  EXPECT_EQ(plan.plan(0), "\\xff");
}

}  // namespace
}  // namespace farshore::linker
