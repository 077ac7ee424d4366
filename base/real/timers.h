// The timers of a RealEnv: a heap behind arm() and cancel(), driven by one timer of the kernel.
//
// A late turn: the process was suspended (SIGSTOP, a paused machine, swap), or one handler took long. Timers that are
// due then must not decide before what arrived in the meantime was read: a heartbeat that lies in a socket's buffer was
// in time. So when the earliest timer is more than kLate overdue, no timer fires until the loop has gone round
// kCatchUpTurns times (each time it reads what is ready and runs what that woke), or for kCatchUpMax.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <utility>
#include <vector>

#include "base/wait.h"

namespace farshore {

class Timers {
 public:
  static constexpr Duration kLate = milliseconds(250);
  static constexpr int kCatchUpTurns = 1000;  // of an idle loop: about a millisecond
  static constexpr Duration kCatchUpMax = seconds(1);

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
  void drop_cancelled();  // those on top of the heap
  void rearm();
  void catch_up(int turns, MonoTime until);
  void run_due();

  boost::asio::steady_timer kernel_;
  MonoTime (*now_)();
  MonoTime armed_at_ = MonoTime::max();
  std::vector<Entry> heap_;  // cancelled entries stay until they come to the top, or until they are the majority
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
  bool catching_up_ = false;  // run_due() follows, whatever the kernel's timer does
};

}  // namespace farshore
