// EnvHarness: gives a contract suite the Env implementation under test. Each Env interface has one suite (the other
// headers of this room), which runs on every implementation. So the simulator's model is checked against the real one.
//
// A test program of an implementation derives EnvHarness, and registers the suites that it can run:
//
//   std::unique_ptr<contract::EnvHarness> make() { return std::make_unique<SimHarness>(); }
//   const bool registered = contract::register_suite("SimStream", contract::stream_contract(), make);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "base/kv.h"
#include "base/testing/async_test.h"

namespace farshore::contract {

// One harness per test case: nothing is shared between cases.
class EnvHarness {
 public:
  virtual ~EnvHarness() = default;
  // The process under test. The same until the harness goes.
  virtual Env& env() = 0;
  // A second process (or what the machine takes for one) with the same files. Made on first use.
  virtual Env& second() = 0;
  // Starts `task` on env's executor and drives everything until it has ended. Adds a test failure and gives up when
  // `limit` of the Env's time has passed.
  virtual void run(Env& env, Task<void> task, Duration limit) = 0;
  void run(Task<void> task) { run(env(), std::move(task), seconds(60)); }
  // A new, empty, absolute directory.
  virtual std::string scratch() = 0;
  // A host name or address at which env() may listen, and which it can connect to.
  virtual std::string host() = 0;
  // How env() opens stores; null if this implementation brings none.
  virtual KvOpener* kv() { return nullptr; }
};

struct Case {
  const char* name;  // a sentence in CamelCase
  std::function<void(EnvHarness&)> run;
};
using Suite = std::vector<Case>;
using MakeHarness = std::unique_ptr<EnvHarness> (*)();

namespace detail {

class CaseTest : public testing::Test {
 public:
  CaseTest(Case test_case, MakeHarness make) : case_(std::move(test_case)), make_(make) {}
  void TestBody() override {
    auto harness = make_();
    case_.run(*harness);
  }

 private:
  Case case_;
  MakeHarness make_;
};

}  // namespace detail

// Registers every case as a gtest named suite.case. Call it while static objects are made.
inline bool register_suite(const char* suite, const Suite& cases, MakeHarness make) {
  for (const auto& c : cases) {
    testing::RegisterTest(suite, c.name, nullptr, nullptr, __FILE__, __LINE__,
                          [c, make]() -> testing::Test* { return new detail::CaseTest(c, make); });
  }
  return true;
}

// Deterministic bytes, different for every position and seed.
inline std::string pattern(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  uint64_t x = seed * 0x9E3779B97F4A7C15ull + 1;
  for (auto& b : bytes) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    b = static_cast<char>(x >> 32);
  }
  return bytes;
}

inline MutableBytes writable(std::string& text) { return std::as_writable_bytes(std::span(text.data(), text.size())); }

}  // namespace farshore::contract
