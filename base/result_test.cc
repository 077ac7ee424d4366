#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace farshore {
namespace {

Result<std::string> success(std::string text = "a text that does not fit into the string object itself") {
  return text;
}
Result<std::string> failure(std::string detail = "a detail that does not fit into the string object itself") {
  return Error(ErrorCode::kIo, std::move(detail));
}

// Counts its objects: a constructor or destructor that is missing or called twice shows in `living`.
struct Counted {
  static inline int living = 0, copies = 0;
  explicit Counted(int n) : number(n) { ++living; }
  Counted(const Counted& other) : number(other.number) {
    ++living;
    ++copies;
  }
  Counted(Counted&& other) noexcept : number(other.number) { ++living; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { --living; }
  int number;
};

TEST(Result, MoveOnlyValueIsMovedOut) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  Result<std::unique_ptr<int>> moved = std::move(made);
  ASSERT_TRUE(moved);
  std::unique_ptr<int> out = std::move(moved).value();
  EXPECT_EQ(*out, 7);
  static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
  static_assert(std::is_copy_constructible_v<Result<std::string>>);
}

TEST(Result, CopyHasItsOwnValueOrError) {
  Result<std::string> value = success();
  const Result<std::string> value_copy = value;
  *value = "changed";
  EXPECT_EQ(*value_copy, *success());
  Result<std::string> error = failure();
  const Result<std::string> error_copy = error;
  error = success("replaced");
  ASSERT_FALSE(error_copy);
  EXPECT_EQ(error_copy.error().detail, failure().error().detail);
}

TEST(Result, AssignmentReplacesValuesAndErrorsInAllFourCombinations) {
  for (bool to_has_value : {false, true}) {
    for (bool from_has_value : {false, true}) {
      Result<std::string> to = to_has_value ? success("old") : failure("old");
      const Result<std::string> from = from_has_value ? success() : failure();
      to = from;
      ASSERT_EQ(to.has_value(), from_has_value);
      if (from_has_value) {
        EXPECT_EQ(*to, *from);
      } else {
        EXPECT_EQ(to.error().code, ErrorCode::kIo);
        EXPECT_EQ(to.error().detail, from.error().detail);
      }
      Result<std::string> moved_to = to_has_value ? success("old") : failure("old");
      moved_to = std::move(to);
      ASSERT_EQ(moved_to.has_value(), from_has_value);
      if (from_has_value) {
        EXPECT_EQ(*moved_to, *from);
      }
    }
  }
}

TEST(Result, AssignmentToItselfChangesNothing) {
  Result<std::string> value = success(), error = failure();
  Result<std::string>&value_again = value, &error_again = error;
  value = value_again;
  error = error_again;
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, *success());
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().detail, failure().error().detail);
}

TEST(Result, EveryValueIsDestroyedExactlyOnce) {
  ASSERT_EQ(Counted::living, 0);
  {
    Result<Counted> a = Counted(1), b = Counted(2), c = Error(ErrorCode::kIo);
    Result<Counted> copy = a;
    a = std::move(b);
    copy = c;
    c = a;
    EXPECT_EQ(a->number, 2);
    EXPECT_EQ(c->number, 2);
  }
  EXPECT_EQ(Counted::living, 0);
}

TEST(Result, MoveNeverCopiesTheValue) {
  Counted::copies = 0;
  Result<Counted> from = Counted(3);
  Result<Counted> to = std::move(from);
  to = Result<Counted>(Counted(4));
  Counted out = std::move(to).value();
  EXPECT_EQ(out.number, 4);
  EXPECT_EQ(Counted::copies, 0);
}

TEST(Result, ErrorOfASuccessHasNoCode) {
  EXPECT_EQ(success().error().code, ErrorCode::kNone);
  const Result<std::string> kept = success();
  EXPECT_EQ(kept.error().code, ErrorCode::kNone);
  EXPECT_EQ(kept.error().detail, "");
  EXPECT_EQ(ok().error().code, ErrorCode::kNone);
}

TEST(ResultDeathTest, ValueOfAFailureEndsTheProcessWithTheErrorAndThePlace) {
  EXPECT_DEATH((void)failure("the disk is gone").value(),
               "value\\(\\) of a failed Result \\(disk error: the disk is gone\\) at .*result_test.cc:[0-9]+");
  const Status status = Error(ErrorCode::kClosed);
  EXPECT_DEATH(status.value(), "\\(closed\\) at .*result_test.cc:[0-9]+");
}

Result<int> first_of(Result<std::vector<int>> numbers) {
  FARSHORE_TRY(const std::vector<int> all, std::move(numbers));
  return all.at(0);
}

TEST(FarshoreTry, FailureIsReturnedAndSuccessIsTheValue) {
  EXPECT_EQ(first_of(std::vector<int>{5, 6}).value(), 5);
  auto failed = first_of(Error(ErrorCode::kNotFound, "nothing"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().to_string(), "not found: nothing");
}

TEST(Error, PlaceIsPutInFrontOfTheDetail) {
  EXPECT_EQ(Error(ErrorCode::kIo, "bad sector").in("segment 7").to_string(), "disk error: segment 7: bad sector");
  EXPECT_EQ(Error(ErrorCode::kIo).in("segment 7").to_string(), "disk error: segment 7");
}

}  // namespace
}  // namespace farshore
