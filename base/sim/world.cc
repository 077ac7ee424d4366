#include "base/sim/world.h"

#include <cstdlib>

#include "base/sim/disk.h"
#include "base/sim/net.h"

namespace farshore::sim {
namespace {

SimOptions with_environment(SimOptions options) {
  if (std::getenv("FARSHORE_SIM_LOG")) options.print_log = true;
  return options;
}

}  // namespace

SimWorld::SimWorld(SimOptions options)
    : options_(with_environment(options)),
      trace_(options_.log_lines_kept, options_.print_log),
      schedule_random_(options.seed),
      scenario_random_(options.seed ^ 0x5CE7A810),
      fault_random_(options.seed ^ 0xFA017),
      net_(std::make_unique<SimNet>(*this)) {
  trace_.mix(options.seed);
  if (schedule_random_.chance(0.3)) newest_first_ = schedule_random_.unit();
}

SimWorld::~SimWorld() {
  for (auto& process : processes_) end_process(*process, false);
  (void)timers_.drop(nullptr);
}

SimHost* SimWorld::find_host(std::string_view name) {
  auto it = hosts_.find(name);
  return it == hosts_.end() ? nullptr : it->second.get();
}

SimHost& SimWorld::host(std::string_view name) {
  if (SimHost* known = find_host(name)) return *known;
  auto made = std::make_unique<SimHost>();
  made->name = name;
  made->index = static_cast<uint32_t>(hosts_by_index_.size());
  Random random(digest(name, options_.seed));
  made->mono_offset = seconds(random.between(1'000, 2'000'000)) + nanoseconds(random.between(0, 999'999'999));
  made->disk = std::make_unique<SimDisk>(*this, *made, random.next());
  hosts_by_index_.push_back(made.get());
  return *hosts_.emplace(made->name, std::move(made)).first->second;
}

SimEnv& SimWorld::start_process(std::string_view host_name, std::string name) {
  SimHost& where = host(host_name);
  if (!where.up) power_on(host_name);
  const auto index = static_cast<uint32_t>(processes_.size());
  std::string full = where.name + "/" + name + "#" + std::to_string(++where.processes_started);
  trace_.line(time_text() + " " + full + " started");
  const uint64_t seed = digest(full, options_.seed);
  processes_.push_back(std::make_unique<SimEnv>(*this, where, std::move(full), index, seed));
  return *processes_.back();
}

std::vector<SimEnv*> SimWorld::processes(std::string_view host_name) {
  std::vector<SimEnv*> living;
  for (auto& process : processes_)
    if (!process->dead() && process->host().name == host_name) living.push_back(process.get());
  return living;
}

void SimWorld::kill(SimEnv& env) {
  if (env.dead()) return;
  if (running_ == &env) {
    env.kill_pending_ = true;
    return;
  }
  trace_.line(time_text() + " " + env.name() + " killed");
  end_process(env, false);
}

void SimWorld::power_off(std::string_view host_name) { end_host(host(host_name), nullptr); }
void SimWorld::power_off(std::string_view host_name, PowerLoss how) { end_host(host(host_name), &how); }

void SimWorld::end_host(SimHost& where, const PowerLoss* how) {
  if (!where.up) return;
  ensure(!running_ || &running_->host() != &where,
         "a process cannot cut its own power: do it in an event of the world");
  trace_.line(time_text() + " " + where.name + " lost power");
  where.up = false;
  for (SimEnv* process : processes(where.name)) end_process(*process, true);
  where.disk->lose_power(how);
}

void SimWorld::power_on(std::string_view host_name) {
  SimHost& where = host(host_name);
  if (where.up) return;
  where.up = true;
  trace_.line(time_text() + " " + where.name + " booted");
}

// The order matters (frames run destructors): first nothing that the process does has an effect any more, then what was
// ready is dropped, then every suspended frame, then the objects that the frames referred to.
void SimWorld::end_process(SimEnv& env, bool power_loss) {
  if (env.dead_) return;
  env.dead_ = true;
  env.trap_ = nullptr;
  env.host().disk->process_gone(env);
  net_->process_gone(env, power_loss);
  { auto dropped = timers_.drop(&env); }
  drop_ready(ready_, env);
  {
    auto held = std::move(env.held_handlers_);
    env.held_handlers_.clear();
  }
  env.waits().abandon_all();
  auto hooks = std::move(env.hooks_);
  for (auto& hook : hooks) hook();
  hooks.clear();
  while (!env.held_objects_.empty()) {
    auto last = std::move(env.held_objects_.back());
    env.held_objects_.pop_back();
    last.reset();
  }
  env.waits().abandon_all();
}

void SimWorld::drop_ready(std::vector<Ready>& queue, const SimEnv& env) {
  std::vector<Ready> dropped;
  size_t kept = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    if (queue[i].env == &env)
      dropped.push_back(std::move(queue[i]));
    else if (kept++ != i)
      queue[kept - 1] = std::move(queue[i]);
  }
  queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(kept), queue.end());
  // Destroyed here: their frames may post to dead or living processes.
}

TimerId SimWorld::after(Duration delay, std::function<void()> fn) {
  return timers_.add(now_ + std::max(delay, Duration::zero()), static_cast<uint32_t>(schedule_random_.next()), nullptr,
                     std::move(fn));
}

void SimWorld::post(SimEnv& env, TimerId timer, Closure handler) {
  if (env.dead_) return;  // and the handler is destroyed with its frame
  if (env.paused_)
    env.held_handlers_.emplace_back(timer, std::move(handler));
  else
    ready_.push_back(Ready{&env, timer, std::move(handler)});
}

void SimWorld::fire_timers() {
  while (!timers_.empty() && timers_.next() <= now_) {
    const TimerId id = timers_.pop();
    if (SimEnv* owner = timers_.owner(id)) {
      post(*owner, id, Closure());
    } else {
      auto fn = timers_.take(id);
      if (fn) fn();
    }
  }
}

void SimWorld::run_ready() {
  size_t pick = ready_.size() - 1;
  if (pick > 0 && !(newest_first_ > 0 && schedule_random_.chance(newest_first_)))
    pick = schedule_random_.below(ready_.size());
  SimEnv& env = *ready_[pick].env;
  if (env.trap_ && !env.paused_ && env.resumptions_ + 1 == env.trap_at_) {
    auto trap = std::exchange(env.trap_, nullptr);
    trap();  // the handler is still in the queue: a kill drops it together with the others
    return;
  }
  Ready next = std::move(ready_[pick]);
  if (pick + 1 != ready_.size()) ready_[pick] = std::move(ready_.back());
  ready_.pop_back();
  if (env.paused_) {  // paused after it became ready
    env.held_handlers_.emplace_back(next.timer, std::move(next.handler));
    return;
  }
  ++env.resumptions_;
  ++steps_;
  ++steps_at_instant_;
  trace_.mix(static_cast<uint64_t>(now_.count()) * 31 + env.index() + (next.timer ? 1u << 20 : 0));
  running_ = &env;
  if (next.timer) {
    auto fn = timers_.take(next.timer);
    if (fn) fn();
  } else {
    next.handler();
    next.handler.reset();
  }
  running_ = nullptr;
  if (env.kill_pending_) {
    env.kill_pending_ = false;
    kill(env);
  }
}

// One handler, or one move of the clock; false if nothing can happen before `until`.
bool SimWorld::step(Duration until) {
  if (!ready_.empty()) {
    run_ready();
    return true;
  }
  if (timers_.empty() || timers_.next() > until) return false;
  if (timers_.next() > now_) {
    now_ = timers_.next();
    steps_at_instant_ = 0;
  } else {
    ++steps_at_instant_;
  }
  fire_timers();
  return true;
}

RunEnd SimWorld::run_until(const std::function<bool()>& done, Duration limit) {
  ensure(!running_, "run_until() was called from inside the simulation");
  const Duration until = now_ + limit;
  while (!done()) {
    if (!step(until)) {
      const bool idle = timers_.empty();
      now_ = until;
      steps_at_instant_ = 0;
      return done() ? RunEnd::kDone : idle ? RunEnd::kIdle : RunEnd::kTimeUp;
    }
    if (steps_at_instant_ > options_.steps_at_one_instant_max) {
      failure_ = "livelock at " + time_text() + ": " + std::to_string(steps_at_instant_) +
                 " steps without a moment passing" + (ready_.empty() ? "" : ", last in " + ready_.back().env->name());
      trace_.line(failure_);
      return RunEnd::kLivelock;
    }
  }
  return RunEnd::kDone;
}

void SimWorld::spawn(SimEnv& env, Task<void> task) {
  if (env.dead()) return;
  start(env, std::move(task));
}

bool SimWorld::run(SimEnv& env, Task<void> task, Duration limit) {
  if (env.dead()) return false;
  auto ended = std::make_shared<bool>(false);
  start(env, std::move(task), [ended] { *ended = true; });
  (void)run_until([&] { return *ended || env.dead(); }, limit);
  return *ended;
}

std::string SimWorld::time_text() const {
  char text[40];
  std::snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(now_.count() / 1'000'000'000),
                static_cast<long long>(now_.count() / 1'000 % 1'000'000));
  return text;
}

void SimWorld::print(std::FILE* to) const {
  for (const auto& line : trace_.lines()) std::fprintf(to, "%s\n", line.c_str());
  std::fprintf(to, "seed %llu, virtual time %s s, %llu steps, hash %016llx%s%s\n",
               static_cast<unsigned long long>(options_.seed), time_text().c_str(),
               static_cast<unsigned long long>(steps_), static_cast<unsigned long long>(trace_.hash()),
               failure_.empty() ? "" : ", ", failure_.c_str());
}

}  // namespace farshore::sim
