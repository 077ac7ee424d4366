#include "base/sim/env.h"

#include <algorithm>

#include "base/sim/disk.h"
#include "base/sim/kv.h"
#include "base/sim/net.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

constexpr int64_t kWallStartMs = 1'795'392'000'000;  // 2026-11-23 00:00 UTC, when every world begins
constexpr double kBuggifyArmed = 0.25, kBuggifyFires = 0.25;

class SimLogger final : public Logger {
 public:
  explicit SimLogger(SimEnv& env) : env_(env) {}
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override {
    if (env_.dead()) return;
    SimWorld& world = env_.world();
    std::string line = world.time_text();
    line.append(" ").append(env_.name()).append(" ");
    line.push_back("DIWE"[static_cast<size_t>(level)]);
    line.append(" ").append(format_log_line(event, fields));
    world.trace().line(std::move(line));
  }
  bool enabled(LogLevel level) const override { return level != LogLevel::kDebug || env_.world().options().print_log; }

 private:
  SimEnv& env_;
};

}  // namespace

void SimEnv::post(Closure work) {
  world_.post(*this, 0, std::move(work));  // a dead process's is destroyed there and then
}

SimEnv::SimEnv(SimWorld& world, SimHost& host, std::string name, uint32_t index, uint64_t seed)
    : world_(world), host_(host), name_(std::move(name)), index_(index), random_(seed), buggify_random_(seed ^ 0xB066) {
  network_ = make_sim_network(*this);
  files_ = make_sim_files(*this);
  logger_ = std::make_unique<SimLogger>(*this);
  kv_ = make_sim_kv_opener(*this);
}

SimEnv::~SimEnv() = default;

MonoTime SimEnv::now() { return MonoTime(world_.now() + host_.mono_offset); }

WallTime SimEnv::wall_now() {
  const int64_t since = std::chrono::duration_cast<milliseconds>(world_.now()).count();
  return {kWallStartMs + since + host_.wall_offset_ms};
}

TimerId SimEnv::arm(MonoTime at, std::function<void()> fn) {
  if (dead_) return 0;
  const Duration when = std::max(world_.now(), at.time_since_epoch() - host_.mono_offset);
  return world_.timers_.add(when, static_cast<uint32_t>(world_.schedule_random_.next()), this, std::move(fn));
}

void SimEnv::cancel(TimerId timer) {
  if (!dead_) world_.timers_.cancel(timer);
}

bool SimEnv::buggify(const char* where) {
  constexpr std::string_view kPlantSite = "plant.";
  if (std::string_view(where).starts_with(kPlantSite))  // draws nothing, so a seed plays the same with and without it
    return !world_.options().plant.empty() && where + kPlantSite.size() == world_.options().plant;
  if (!world_.options().buggify || dead_) return false;
  auto site = armed_.find(std::string_view(where));
  if (site == armed_.end()) {
    Random draw(digest(where, world_.seed()));
    site = armed_.emplace(where, draw.chance(kBuggifyArmed)).first;
  }
  return site->second && buggify_random_.chance(kBuggifyFires);
}

void SimEnv::pause() {
  if (dead_ || paused_) return;
  paused_ = true;
  world_.trace().line(world_.time_text() + " " + name_ + " paused");
}

void SimEnv::resume() {
  if (dead_ || !paused_) return;
  paused_ = false;
  world_.trace().line(world_.time_text() + " " + name_ + " resumed");
  auto held = std::move(held_handlers_);
  held_handlers_.clear();
  for (auto& [timer, handler] : held) world_.post(*this, timer, std::move(handler));
}

Task<void> SimEnv::yield() {
  Wait<void> wait(*this);
  post([wait] { wait.complete(ok()); });
  (void)co_await wait.wait(Deadline::never());
}

Task<void> SimEnv::delay(Duration delay) {
  Wait<void> wait(*this);
  world_.after(delay, [wait] { wait.complete(ok()); });
  (void)co_await wait.wait(Deadline::never());
}

}  // namespace farshore::sim
