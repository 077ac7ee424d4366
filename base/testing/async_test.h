// Tests whose body is a coroutine.
//
//   ASYNC_TEST_F(ClientTest, CallReturnsTheResponse) {
//     auto response = co_await client.call(request);
//     CO_ASSERT_OK(response);
//   }
//
// The body is a member function of the fixture, which has a method `void run(Task<void>)` that plays the task to its
// end (and fails the test if it does not end).
#pragma once

#include <gtest/gtest.h>

#include "base/result.h"
#include "base/task.h"

#define ASYNC_TEST_F(Fixture, Name)                                                                 \
  class Fixture##_##Name##_Async : public Fixture {                                                 \
   protected:                                                                                       \
    ::farshore::Task<void> test_body();                                                             \
  };                                                                                                \
  GTEST_TEST_(Fixture, Name, Fixture##_##Name##_Async, ::testing::internal::GetTypeId<Fixture>()) { \
    this->run(this->test_body());                                                                   \
  }                                                                                                 \
  ::farshore::Task<void> Fixture##_##Name##_Async::test_body()

// In a coroutine ASSERT_* cannot return: this ends the test's task instead.
#define CO_ASSERT(condition)                  \
  do {                                        \
    if (!(condition)) {                       \
      ADD_FAILURE() << "failed: " #condition; \
      co_return;                              \
    }                                         \
  } while (0)
// `result` is a Result or Status that must be ok.
#define CO_ASSERT_OK(result)                                                \
  do {                                                                      \
    if (!(result)) {                                                        \
      ADD_FAILURE() << #result " failed: " << (result).error().to_string(); \
      co_return;                                                            \
    }                                                                       \
  } while (0)
// `result` must have failed with exactly this code.
#define EXPECT_ERROR(result, wanted)                                                                      \
  do {                                                                                                    \
    const auto& expect_error_result = (result);                                                           \
    EXPECT_FALSE(expect_error_result.has_value()) << #result " succeeded";                                \
    if (!expect_error_result.has_value()) {                                                               \
      EXPECT_EQ(::farshore::error_name(expect_error_result.error().code), ::farshore::error_name(wanted)) \
          << expect_error_result.error().to_string();                                                     \
    }                                                                                                     \
  } while (0)
