#include "proto/link/client/mirror_client.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

std::vector<size_t> requests_for(size_t topics, int32_t partitions) {
  std::vector<std::pair<std::string, int32_t>> all;
  for (size_t n = 0; n < topics; ++n) all.emplace_back("t", partitions);
  const auto cuts = MirrorClient::cut_describe(all);
  std::vector<size_t> sizes;
  for (size_t i = 1; i < cuts.size(); ++i) sizes.push_back(cuts[i] - cuts[i - 1]);
  return sizes;
}

TEST(MirrorClientTest, RequestNamesABoundedNumberOfTopicsAndOfPartitions) {
  EXPECT_EQ(requests_for(0, 1), std::vector<size_t>());
  EXPECT_EQ(requests_for(450, 1), (std::vector<size_t>{200, 200, 50}));
  EXPECT_EQ(requests_for(7, 3000), (std::vector<size_t>{3, 3, 1}));
}

TEST(MirrorClientTest, TopicWithManyPartitionsHasARequestOfItsOwn) {
  EXPECT_EQ(requests_for(3, 50'000), (std::vector<size_t>{1, 1, 1}));
}

}  // namespace
}  // namespace farshore
