// Caller: who asked for an operation, and whether he still waits for it. Nothing that cannot be undone is done for one
// who has given up: he believes that nothing happens any more.
// Executor: the Env's, for all calls.
#pragma once

#include <memory>

#include "proto/link/client/mirror_client.h"

namespace farshore::linker {

class Caller {
 public:
  void leave() { gone_ = true; }
  bool gone() const { return gone_; }

 private:
  bool gone_ = false;
};

// Null: one who never gives up.
using CallerPtr = std::shared_ptr<const Caller>;

inline bool gone(const CallerPtr& caller) { return caller && caller->gone(); }
inline StillWanted still_wanted(CallerPtr caller) {
  return [caller = std::move(caller)] { return !gone(caller); };
}
inline Error given_up() { return Error(ErrorCode::kClosed, "given up by who asked for it"); }

}  // namespace farshore::linker
