// SimEnv: one simulated process on one simulated host. Its clock, executor, random numbers, log and metrics are its
// own; disk and network are its host's. See world.h for how it starts and ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/kv.h"

namespace farshore::sim {

class SimWorld;
struct SimHost;

class SimEnv final : public Env {
 public:
  SimEnv(SimWorld& world, SimHost& host, std::string name, uint32_t index, uint64_t seed);
  ~SimEnv() override;

  // Env
  void post(Closure work) override;
  MonoTime now() override;
  TimerId arm(MonoTime at, std::function<void()> fn) override;
  void cancel(TimerId timer) override;
  bool dead() const override { return dead_; }
  WallTime wall_now() override;
  Random& random() override { return random_; }
  Network& network() override { return *network_; }
  FileSystem& files() override { return *files_; }
  Logger& log() override { return *logger_; }
  MetricRegistry& metrics() override { return metrics_; }
  bool buggify(const char* where) override;

  KvOpener& kv() { return *kv_; }
  SimWorld& world() { return world_; }
  SimHost& host() { return host_; }
  const std::string& name() const { return name_; }  // host/process#incarnation
  uint32_t index() const { return index_; }

  // Owned by the process: destroyed when it dies, last added first, after its frames are gone.
  void hold(std::shared_ptr<void> application) { held_objects_.push_back(std::move(application)); }
  // Called when it dies, after its frames are gone and before held objects go.
  void on_destroy(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }

  // SIGSTOP and SIGCONT: nothing of it runs, its kernel goes on (sockets fill, timers fall due).
  void pause();
  void resume();
  bool paused() const { return paused_; }

  uint64_t resumptions() const { return resumptions_; }
  // Calls `then` instead of this process's n-th resumption from now on (1: the next); `then` usually kills it. The
  // handler that was about to run is dropped if the process died, else it runs.
  void at_resumption(uint64_t n, std::function<void()> then) {
    trap_at_ = resumptions_ + n;
    trap_ = std::move(then);
  }
  // Suspends once, as another ready handler might: for operations that usually go on at once.
  Task<void> yield();
  // Completes after `delay`, or never if the process dies.
  Task<void> delay(Duration delay);

 private:
  friend class SimWorld;
  SimWorld& world_;
  SimHost& host_;
  std::string name_;
  uint32_t index_;
  Random random_, buggify_random_;
  MetricRegistry metrics_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<Logger> logger_;
  std::unique_ptr<KvOpener> kv_;
  bool dead_ = false, paused_ = false, kill_pending_ = false;
  uint64_t resumptions_ = 0, trap_at_ = 0;
  std::function<void()> trap_;
  std::vector<std::pair<TimerId, Closure>> held_handlers_;  // while paused
  std::vector<std::shared_ptr<void>> held_objects_;
  std::vector<std::function<void()>> hooks_;
  std::map<std::string, bool, std::less<>> armed_;  // buggify sites
};

}  // namespace farshore::sim
