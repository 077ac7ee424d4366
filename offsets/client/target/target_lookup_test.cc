#include "offsets/client/target/target_lookup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace farshore::client {
namespace {

TEST(TargetLookupTest, CallAboveTheLimitSaysSoAndDoesNotWait) {
  ClusterAddress nobody;
  nobody.bootstrap = "127.0.0.1:1";  // each call tries until its time is over
  Problem problem;
  auto lookup = TargetLookup::open(nobody, problem);
  ASSERT_TRUE(lookup) << problem.text;
  std::atomic<int> silent = 0, too_many = 0;
  std::vector<std::thread> callers;
  for (size_t i = 0; i < TargetLookup::kCallsMax + 20; ++i)
    callers.emplace_back([&] {
      bool farshore = false;
      const Problem said = lookup->is_farshore(farshore, std::chrono::seconds(5));
      const bool limit = said.text.find("256 calls") != std::string::npos;
      ++(limit ? too_many : silent);
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(silent, static_cast<int>(TargetLookup::kCallsMax));
  EXPECT_EQ(too_many, 20);
}

}  // namespace
}  // namespace farshore::client
