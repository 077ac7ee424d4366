#include "base/file.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(Paths, JoinAndParentTreatTrailingSlashesAsOne) {
  EXPECT_EQ(join_path("/data", "a"), "/data/a");
  EXPECT_EQ(join_path("/data/", "a"), "/data/a");
  EXPECT_EQ(join_path("", "a"), "a");
  EXPECT_EQ(parent_path("/data/a"), "/data");
  EXPECT_EQ(parent_path("/data/a/"), "/data");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
}

}  // namespace
}  // namespace farshore
