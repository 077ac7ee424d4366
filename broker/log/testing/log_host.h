// LogHost: one simulated host (base/sim) for the tests and the fuzz target of this room, with one process at a time.
// Its disk keeps what was synced through a power loss. The disk takes no time, so the clock stands still unless a test
// moves it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sim/disk.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"

namespace farshore::log_test {

using sim::DiskOp;
using sim::PowerLoss;

inline constexpr const char* kDir = "/data/t-0";  // of the log under test

class LogHost {
 public:
  using Files = std::map<std::string, std::string>;  // path -> contents

  // Starts a process; "/data" is there, durably.
  explicit LogHost(uint64_t seed = 1) : world_(options(seed)) {
    disk().set_instant(true);
    start();
    (void)run(env().files().make_dirs("/data"));
    disk().sync_everything();
    set_wall_ms(1'700'000'000'000);
  }

  sim::SimWorld& world() { return world_; }
  sim::SimDisk& disk() { return world_.disk(kName); }
  sim::SimEnv& env() { return *env_; }

  // Starts a new process. The one before dies, and so does a plan for its death.
  void start() {
    if (env_) kill();
    disk().heal();
    env_ = &world_.start_process(kName, "log");
  }
  // The process dies; the page cache stays.
  void kill() { world_.kill(*env_); }
  // The process dies, and the disk loses what was not synced: by seed, or as said.
  void power_off() { world_.power_off(kName); }
  void power_off(PowerLoss how) { world_.power_off(kName, how); }
  bool dead() const { return env_->dead(); }
  // The process dies before its n-th operation of the disk from now (1: the next), reads apart.
  void die_at_operation(uint64_t n) {
    disk().at_operation(n, [this] { kill(); });
  }

  int64_t wall_ms() { return env().wall_now().milliseconds_since_epoch; }
  void set_wall_ms(int64_t ms) { world_.host(kName).wall_offset_ms += ms - wall_ms(); }
  void pass_wall_ms(int64_t ms) { world_.host(kName).wall_offset_ms += ms; }

  // Runs a task of the process to its end. kClosed if the process died first. `T` is a Status or a Result.
  template <class T>
  T run(Task<T> task) {
    auto value = std::make_shared<std::optional<T>>();
    const bool ended = world_.run(*env_, store(std::move(task), value), hours(1));
    if (ended) return std::move(**value);
    ensure(dead(), "a task ends, or its process dies");
    return Error(ErrorCode::kClosed, "the process died");
  }

  // All files of the log's directory.
  Files files() {
    Files all;
    for (const auto& path : disk().files_under(kDir)) all.emplace(path, *disk().contents(path));
    return all;
  }
  // Makes the log's directory hold exactly these files, durably.
  void restore(const Files& files) {
    for (const auto& path : disk().files_under(kDir)) disk().erase(path);
    for (const auto& [path, contents] : files) disk().put_contents(path, contents);
  }

 private:
  static constexpr const char* kName = "host";
  static sim::SimOptions options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    options.buggify = options.yields = false;
    options.log_lines_kept = 20;
    return options;
  }
  template <class T>
  static Task<void> store(Task<T> task, std::shared_ptr<std::optional<T>> into) {
    T value = co_await std::move(task);
    into->emplace(std::move(value));
  }

  sim::SimWorld world_;
  sim::SimEnv* env_ = nullptr;
};

// A batch of `count` records with consecutive timestamps.
inline BatchBuilder batch_of(int count, int64_t timestamp_ms = 1'700'000'000'000, std::string_view text = "value") {
  BatchBuilder builder;
  for (int i = 0; i < count; ++i)
    builder.add(timestamp_ms + i, "key" + std::to_string(i), std::string(text) + std::to_string(i));
  return builder;
}

}  // namespace farshore::log_test
