// Committer: commits ascending offsets for a consumer group without members, at the source.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/env.h"
#include "broker/testing/test_client.h"
#include "tests/simulation/history.h"

namespace farshore::simulation {

inline constexpr const char* kGroup = "readers";

class Committer {
 public:
  Committer(Env& env, Endpoint to, History& history) : env_(env), to_(std::move(to)), history_(history) {}

  Task<void> run();  // until stop()
  void stop() { stop_ = true; }
  bool stopped() const { return stopped_; }
  size_t commits() const { return commits_; }

 private:
  Task<Status> commit();

  Env& env_;
  const Endpoint to_;
  History& history_;
  std::unique_ptr<broker::TestClient> client_;
  std::map<int32_t, int64_t> next_;
  size_t commits_ = 0;
  bool group_found_ = false, stop_ = false, stopped_ = false;
};

}  // namespace farshore::simulation
