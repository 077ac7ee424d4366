// Descriptor: a file descriptor that is shared with jobs on the pool, so that a number is never reused under them.
#pragma once

#include <unistd.h>

namespace farshore {

struct Descriptor {
  explicit Descriptor(int n) : number(n) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number); }
  int number;
};

}  // namespace farshore
