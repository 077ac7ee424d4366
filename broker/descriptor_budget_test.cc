#include "broker/descriptor_budget.h"

#include <gtest/gtest.h>

namespace farshore::broker {
namespace {

TEST(DescriptorBudget, PartsAreNeverMoreThanTheWhole) {
  for (size_t allowed : {size_t{256}, size_t{257}, size_t{1024}, size_t{1} << 20}) {
    auto budget = DescriptorBudget::divide(allowed);
    ASSERT_TRUE(budget);
    EXPECT_EQ(budget->log_files + budget->connections + DescriptorBudget::kOthers, allowed);
    EXPECT_GE(budget->log_files, budget->connections);
  }
}

TEST(DescriptorBudget, TooFewDescriptorsAreRefusedWithTheWayOut) {
  auto budget = DescriptorBudget::divide(255);
  ASSERT_FALSE(budget);
  EXPECT_NE(budget.error().detail.find("ulimit -n"), std::string::npos);
}

}  // namespace
}  // namespace farshore::broker
