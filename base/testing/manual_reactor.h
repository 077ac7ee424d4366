// ManualReactor: an Env's executor and timers for tests that need nothing else of an Env. One thread. Its clock moves
// only when nothing else is ready, and then to the earliest timer.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/wait.h"

namespace farshore {

class ManualReactor final : public Reactor {
 public:
  ~ManualReactor() override {
    dead_ = true;
    waits().abandon_all();
    while (!ready_.empty()) ready_.pop_front();
  }
  void post(Closure work) override {
    if (!dead_) ready_.push_back(std::move(work));
  }
  MonoTime now() override { return now_; }
  TimerId arm(MonoTime at, std::function<void()> fn) override {
    timers_.emplace(++last_, std::pair(at, std::move(fn)));
    return last_;
  }
  void cancel(TimerId timer) override { timers_.erase(timer); }
  bool dead() const override { return dead_; }

  // The process dies: nothing that is posted from now on runs.
  void kill() { dead_ = true; }

  // Until nothing is ready and no timer is armed.
  void run() {
    for (;;) {
      while (!ready_.empty()) {
        Closure next = std::move(ready_.front());
        ready_.pop_front();
        next();
      }
      if (timers_.empty()) return;
      auto next = std::min_element(timers_.begin(), timers_.end(),
                                   [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
      now_ = std::max(now_, next->second.first);
      auto fn = std::move(next->second.second);
      timers_.erase(next);
      fn();
    }
  }
  // Runs everything, and returns what `task` returned; nullopt if it never ended.
  template <class T>
  std::optional<T> run(Task<T> task) {
    std::optional<T> result;
    start(*this, keep(std::move(task), result));
    run();
    return result;
  }

 private:
  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }

  std::deque<Closure> ready_;
  MonoTime now_{};
  std::map<TimerId, std::pair<MonoTime, std::function<void()>>> timers_;
  TimerId last_ = 0;
  bool dead_ = false;
};

}  // namespace farshore
