// SimWorld: one thread, virtual time, one seed. Hosts, the processes on them, the network between them, and every
// source of chance. It plays the same run for the same seed (hash()), skips idle time, and can stop the world before
// any resumption of any process.
//
//   SimWorld world({.seed = 7});
//   SimEnv& broker = world.start_process("east-1", "broker");
//   world.spawn(broker, serve(...));
//   world.net().partition("east-1", "west-1");
//   world.kill(broker);                       // SIGKILL; world.power_off("east-1") also forgets what was not synced
//   if (!world.run_until([&] { return done; }, seconds(60))) world.print(stderr);
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/sim/env.h"
#include "base/sim/timers.h"
#include "base/sim/trace.h"
#include "base/task.h"

namespace farshore::sim {

class SimDisk;
class SimNet;
enum class PowerLoss : uint8_t;

struct SimOptions {
  uint64_t seed = 1;
  bool buggify = true;     // each site is armed in a quarter of the runs, and then fires every fourth time
  std::string plant = {};  // the defect to inject, by its name in base/plant.h; empty: none
  bool yields = true;      // operations that could go on at once sometimes suspend
  size_t log_lines_kept = 2000;
  bool print_log = false;                         // also switched on by the environment variable FARSHORE_SIM_LOG
  uint64_t steps_at_one_instant_max = 3'000'000;  // more is a livelock: somebody retries without waiting
};

// One machine: its clock, its disk, and the processes that run or ran on it.
struct SimHost {
  std::string name;
  uint32_t index = 0;
  bool up = true;
  bool isolated = false;       // by SimNet
  Duration mono_offset{};      // its monotonic clock against the world's
  int64_t wall_offset_ms = 0;  // its wall clock against the true one; scenarios move it
  uint16_t last_port = 32768;  // ephemeral
  uint32_t processes_started = 0;
  std::unique_ptr<SimDisk> disk;
};

enum class RunEnd : uint8_t { kDone, kTimeUp, kIdle, kLivelock };

class SimWorld {
 public:
  explicit SimWorld(SimOptions options);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;
  ~SimWorld();

  uint64_t seed() const { return options_.seed; }
  const SimOptions& options() const { return options_; }
  Duration now() const { return now_; }      // since the world began
  uint64_t steps() const { return steps_; }  // handlers run so far
  uint64_t hash() const { return trace_.hash(); }
  Trace& trace() { return trace_; }
  Random& random() { return scenario_random_; }  // for scenarios: apart from what schedules and faults draw
  Random& fault_random() { return fault_random_; }
  SimNet& net() { return *net_; }
  SimHost& host(std::string_view name);  // made on first use
  SimHost* find_host(std::string_view name);
  void for_each_host(const std::function<void(SimHost&)>& visit) {
    for (SimHost* h : hosts_by_index_) visit(*h);
  }
  SimDisk& disk(std::string_view host_name) { return *host(host_name).disk; }

  // A new process; boots the host if it is down. The reference stays valid until the world ends, also after a kill.
  SimEnv& start_process(std::string_view host_name, std::string name);
  // SIGKILL: memory and locks are gone, the page cache stays, the kernel closes its sockets. A process that is running
  // at this moment (the caller is inside one of its handlers) dies as soon as that handler returns.
  void kill(SimEnv& env);
  // All its processes die, peers hear nothing, and the disk forgets what was not synced, by seed or as said.
  void power_off(std::string_view host_name);
  void power_off(std::string_view host_name, PowerLoss how);
  void power_on(std::string_view host_name);
  std::vector<SimEnv*> processes(std::string_view host_name);  // the living ones

  // Runs `fn` as an event of the world (not of a process).
  TimerId after(Duration delay, std::function<void()> fn);
  void cancel(TimerId id) { timers_.cancel(id); }

  // Starts a coroutine in `env`. An exception out of it ends the program, as with spawn(gate).
  void spawn(SimEnv& env, Task<void> task);
  // Runs until done() holds (looked at after every step), `limit` of virtual time has passed, or nothing can happen.
  RunEnd run_until(const std::function<bool()>& done, Duration limit);
  void run_for(Duration time) {
    (void)run_until([] { return false; }, time);
  }
  // Starts `task` and runs until it has ended; false if it did not within `limit`, or its process died.
  bool run(SimEnv& env, Task<void> task, Duration limit);

  // What the simulator itself found wrong (a livelock). Empty in a good run.
  const std::string& failure() const { return failure_; }
  // Seed, time, hash and the last log lines.
  void print(std::FILE* to) const;
  std::string time_text() const;

 private:
  friend class SimEnv;
  struct Ready {
    SimEnv* env;
    TimerId timer;  // 0: `handler` is run
    Closure handler;
  };
  bool step(Duration until);
  void run_ready();
  void fire_timers();
  void post(SimEnv& env, TimerId timer, Closure handler);
  void end_process(SimEnv& env, bool power_loss);
  void drop_ready(std::vector<Ready>& queue, const SimEnv& env);
  void end_host(SimHost& host, const PowerLoss* how);

  SimOptions options_;
  Trace trace_;
  Random schedule_random_, scenario_random_, fault_random_;
  double newest_first_ = 0;  // chance to run the handler that became ready last: deep runs of one chain
  Duration now_{};
  uint64_t steps_ = 0, steps_at_instant_ = 0;
  std::vector<Ready> ready_;
  TimerHeap timers_;
  std::map<std::string, std::unique_ptr<SimHost>, std::less<>> hosts_;
  std::vector<SimHost*> hosts_by_index_;
  std::unique_ptr<SimNet> net_;
  std::vector<std::unique_ptr<SimEnv>> processes_;
  SimEnv* running_ = nullptr;
  std::string failure_;
};

}  // namespace farshore::sim
