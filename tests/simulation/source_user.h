// SourceUser: what people do to topics at the source, drawn from the seed: write, trim inside batches, grow, delete,
// make anew, commit. It takes no as an answer; the checks at the end ask the clusters, not this class.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/testing/test_client.h"

namespace farshore::simulation {

inline constexpr const char* kLifecycleTopics[] = {"audit", "orders", "payments"};
inline constexpr const char* kCompactedTopic = "audit";
inline constexpr const char* kTrimmedTopic = "payments";  // by retention
inline constexpr const char* kLifecycleGroups[] = {"billing", "search"};

class SourceUser {
 public:
  SourceUser(Env& env, Endpoint to) : env_(env), to_(std::move(to)) {}

  Task<void> run();  // until stop()
  void stop() { stop_ = true; }
  bool stopped() const { return stopped_; }
  size_t written() const { return written_; }

  // One batch into partition 0. Error: what the broker said. Called once stopped().
  Task<Status> write(std::string topic);

 private:
  Task<Status> step();
  Task<Status> connect();
  Task<Status> make(std::string topic);
  Task<Status> write_to(std::string topic, int32_t partition);
  Task<Status> trim(std::string topic);
  Task<Status> grow(std::string topic);
  Task<Status> remove(std::string topic);
  Task<Status> commit(std::string topic);

  Env& env_;
  const Endpoint to_;
  std::unique_ptr<broker::TestClient> client_;
  size_t written_ = 0;
  int64_t highest_ = 0;  // an offset that a partition had: trims and commits aim below it
  bool stop_ = false, stopped_ = false;
};

}  // namespace farshore::simulation
