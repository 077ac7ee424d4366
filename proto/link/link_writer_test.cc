#include "proto/link/link_writer.h"

#include <gtest/gtest.h>

#include "proto/link/testing/samples.h"

namespace farshore {
namespace {

TEST(LinkWriterTest, ClientIdNamesTheLinkAndItsEpoch) {
  const LinkWriter writer{LinkId(samples::uuid(1)), LinkEpoch(4)};
  EXPECT_EQ(client_id_of(writer), "farshore-link/AQIDBAUGBwgJCgsMDQ4PEA/4");
  EXPECT_EQ(parse_link_writer(client_id_of(writer)), writer);
}

TEST(LinkWriterTest, ClientIdsOfOthersNameNoLink) {
  for (const char* id : {"", "farshore", "farshore-link/", "farshore-link/AQIDBAUGBwgJCgsMDQ4PEA", "farshore-link/x/1",
                         "farshore-link/AQIDBAUGBwgJCgsMDQ4PEA/", "farshore-link/AQIDBAUGBwgJCgsMDQ4PEA/1x"})
    EXPECT_FALSE(parse_link_writer(id)) << id;
}

}  // namespace
}  // namespace farshore
