// Time is an argument: monotonic time for deadlines and waits, wall time only for what is written in records.
#pragma once

#include <chrono>
#include <cstdint>

namespace farshore {

using Duration = std::chrono::nanoseconds;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct MonoClock {  // a tag for the type of time points; never read: ask Env::now()
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;
};
using MonoTime = std::chrono::time_point<MonoClock, Duration>;

struct WallTime {
  int64_t milliseconds_since_epoch = 0;  // Unix time, as in Kafka's records
  friend auto operator<=>(WallTime, WallTime) = default;
};

// When an operation must have ended. Every Env operation takes one; "never" is written out where it is meant.
class Deadline {
 public:
  explicit Deadline(MonoTime at) : at_(at) {}
  static Deadline never() { return Deadline(MonoTime::max()); }
  MonoTime at() const { return at_; }
  bool is_never() const { return at_ == MonoTime::max(); }
  bool passed(MonoTime now) const { return now >= at_; }
  friend auto operator<=>(Deadline, Deadline) = default;

 private:
  MonoTime at_;
};

}  // namespace farshore
