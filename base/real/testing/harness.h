// The contract suites' harness on RealEnv: real sockets on loopback, real files in a directory that is removed.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/contract/harness.h"
#include "base/real/env.h"

namespace farshore {

class RealHarness : public contract::EnvHarness {
 public:
  ~RealHarness() override {
    // What the case left running ends before what it left on disk.
    env_.shutdown();
    if (second_) second_->shutdown();
    if (!scratch_.empty()) {
      std::error_code ignored;
      std::filesystem::remove_all(scratch_, ignored);
    }
  }
  RealEnv& env() override { return env_; }
  RealEnv& second() override {
    if (!second_) second_ = std::make_unique<RealEnv>(quiet());
    return *second_;
  }
  void run(Env& env, Task<void> task, Duration limit) override {
    bool ended = false;
    start(env, std::move(task), [&ended] { ended = true; });
    auto until = env.now() + limit;
    while (!ended && env.now() < until) {
      env_.run_for(second_ ? milliseconds(1) : milliseconds(20), [&ended] { return ended; });
      if (second_) second_->run_for(milliseconds(1), [&ended] { return ended; });
    }
    if (!ended) {
      ADD_FAILURE() << "not done in time";
      env_.shutdown();  // the task's frame refers to locals of ours
      if (second_) second_->shutdown();
    }
  }
  using EnvHarness::run;
  std::string scratch() override {
    if (scratch_.empty()) {
      scratch_ = testing::TempDir() + "farshore_XXXXXX";
      EXPECT_NE(::mkdtemp(scratch_.data()), nullptr);
    }
    auto directory = scratch_ + "/" + std::to_string(++scratches_);
    std::filesystem::create_directories(directory);
    return directory;
  }
  std::string host() override { return "127.0.0.1"; }

 private:
  static RealEnvOptions quiet() {
    RealEnvOptions options;
    options.log_level = LogLevel::kError;
    return options;
  }
  RealEnv env_{quiet()};
  std::unique_ptr<RealEnv> second_;
  std::string scratch_;
  int scratches_ = 0;
};

}  // namespace farshore
