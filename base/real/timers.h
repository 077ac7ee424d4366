// The timers of a RealEnv: a heap behind arm() and cancel(), driven by one timer of the kernel.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <utility>
#include <vector>

#include "base/wait.h"

namespace farshore {

class Timers {
 public:
  Timers(boost::asio::io_context& io, MonoTime (*now)()) : kernel_(io), now_(now) {}
  TimerId arm(MonoTime at, std::function<void()> fn);
  void cancel(TimerId timer);
  void clear();  // forgets all

 private:
  struct Entry {
    MonoTime at;
    TimerId id;
    bool operator<(const Entry& other) const { return at > other.at; }  // the earliest on top
  };
  struct Slot {
    std::function<void()> fn;
    uint32_t generation = 1;
  };
  Slot* find(TimerId id);
  std::function<void()> take(TimerId id);
  void fire();
  void rearm();

  boost::asio::steady_timer kernel_;
  MonoTime (*now_)();
  MonoTime armed_at_ = MonoTime::max();
  std::vector<Entry> heap_;  // cancelled entries stay until they come to the top, or until they are the majority
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

}  // namespace farshore
