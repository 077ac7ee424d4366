// A mirror whose source is idle is still kept equal to the source.
#include <gtest/gtest.h>

#include "broker/mirror/testing/link_world.h"

namespace farshore::broker {
namespace {

class IdleMirror : public testing::TestWithParam<uint64_t> {};

TEST_P(IdleMirror, TargetThatLostItsTailIsFilledAlthoughTheSourceIsIdle) {
  LinkWorld link(GetParam());
  link.start_broker("east-1");
  link.start_broker("west-1");
  link.make_topics();
  for (int32_t partition = 0; partition < LinkWorld::kPartitions; ++partition) {
    bool done = false;
    link.run(link.produce(partition, 3, "value", &done));
    ASSERT_TRUE(done);
  }
  link.start_gateway();
  ASSERT_TRUE(link.until([&] { return link.in_sync(); }, seconds(30)));
  link.world().run_for(seconds(1));
  link.power_off("west-1", sim::PowerLoss::kDropAll);
  link.start_broker("west-1");
  ASSERT_FALSE(link.in_sync()) << "nothing was lost: this run shows nothing";
  EXPECT_TRUE(link.until([&] { return link.in_sync(); }, seconds(60)));
  link.expect_same_bytes();
}

INSTANTIATE_TEST_SUITE_P(Seeds, IdleMirror, testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace farshore::broker
