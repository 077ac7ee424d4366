#include "offsets/client/consumer/internal/said_problems.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

using Millis = SaidProblems::Millis;

TEST(SaidProblems, LastingProblemIsToldAtOnceAndThenEveryTenSeconds) {
  SaidProblems said;
  const Problem refused(Problem::Kind::kFailed, "refused"), silent(Problem::Kind::kUnavailable, "silent");
  EXPECT_TRUE(said.tell(refused, Millis(0)));
  EXPECT_FALSE(said.tell(refused, Millis(1)));
  EXPECT_TRUE(said.tell(silent, Millis(2)));
  EXPECT_FALSE(said.tell(refused, Millis(9999)));
  EXPECT_TRUE(said.tell(refused, Millis(10000)));
}

TEST(SaidProblems, ProblemOfLibrdkafkaIsTheSameWhateverItsDuration) {
  SaidProblems said;
  EXPECT_TRUE(said.tell(Problem(Problem::Kind::kFailed, "refused (after 339ms in state AUTH_REQ)"), Millis(0)));
  EXPECT_FALSE(said.tell(Problem(Problem::Kind::kFailed, "refused (after 301ms in state AUTH_REQ)"), Millis(1)));
}

TEST(SaidProblems, ManyTextsAreKeptInABoundedMemory) {
  SaidProblems said;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(said.tell(Problem(Problem::Kind::kFailed, "problem " + std::to_string(i)), Millis(0)));
  }
  EXPECT_FALSE(said.tell(Problem(Problem::Kind::kFailed, "problem 999"), Millis(0)));
}

}  // namespace
}  // namespace farshore::client
