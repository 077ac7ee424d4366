#include "offsets/client/consumer/internal/assignment.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

using Millis = Assignment::Millis;
const PartitionKey kFirst{"t", 0}, kSecond{"t", 1};
using Keys = std::vector<PartitionKey>;
using Set = std::set<PartitionKey>;

TEST(Assignment, PartitionsStartAtOnceWithoutAMove) {
  Assignment assignment(std::nullopt);
  EXPECT_TRUE(assignment.may_start(Millis(0)).empty());
  assignment.given({kFirst, kSecond}, Millis(0));
  EXPECT_EQ(assignment.may_start(Millis(0)), Keys({kFirst, kSecond}));
  assignment.started(kFirst);
  EXPECT_EQ(assignment.may_start(Millis(0)), Keys({kSecond}));
  EXPECT_FALSE(assignment.complete());
  assignment.started(kSecond);
  EXPECT_TRUE(assignment.complete());
}

TEST(Assignment, PartitionOfAnotherMemberWaitsAfterAMove) {
  Assignment assignment(Set{kFirst});
  assignment.given({kFirst, kSecond}, Millis(100));
  EXPECT_EQ(assignment.may_start(Millis(100)), Keys({kFirst}));
  assignment.started(kFirst);
  EXPECT_TRUE(assignment.may_start(Millis(100) + Assignment::kOthersWait - Millis(1)).empty());
  assignment.taken();  // the owner of the second one has arrived
  assignment.given({kFirst}, Millis(2000));
  EXPECT_EQ(assignment.may_start(Millis(2000)), Keys({kFirst}));
  assignment.given({kFirst, kSecond}, Millis(3000));  // and is gone again: the wait does not begin anew
  EXPECT_EQ(assignment.may_start(Millis(100) + Assignment::kOthersWait), Keys({kFirst, kSecond}));
}

TEST(Assignment, RebalanceKeepsTheOwnedPartitionsUntilTheNextAssignment) {
  Assignment assignment(std::nullopt);
  assignment.given({kFirst, kSecond}, Millis(0));
  assignment.started(kFirst);
  assignment.taken();
  EXPECT_TRUE(assignment.reading().empty());
  EXPECT_TRUE(assignment.may_start(Millis(0)).empty());
  EXPECT_EQ(assignment.owned(), Set({kFirst, kSecond}));
  EXPECT_EQ(assignment.begun(), Set({kFirst}));
  assignment.given({}, Millis(1));
  EXPECT_TRUE(assignment.owned().empty());
  EXPECT_TRUE(assignment.complete());
}

}  // namespace
}  // namespace farshore::client
