#include "base/task.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace farshore::detail {

void end_by_exception() noexcept {
  try {
    throw;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "farshore: a task ended by an exception: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "farshore: a task ended by an unknown exception\n");
  }
  std::abort();
}

Chain::Chain(Task<void> task, Closure on_end) : first_(task.frame_), top_(task.frame_), on_end_(std::move(on_end)) {
  task.frame_.promise().chain = this;
  task.frame_ = {};
}

Chain::~Chain() {
  if (first_) first_.destroy();
}

void Chain::run(std::unique_ptr<Chain> chain) {
  Chain* running = chain.release();  // the frame may hand it on while it runs
  running->suspended_ = false;
  while (running->top_) {
    running->top_.resume();
    if (running->suspended_) return;  // owned by what it waits for
  }
  chain.reset(running);
  std::exchange(chain->first_, {}).destroy();
  auto on_end = std::move(chain->on_end_);
  chain.reset();
  if (on_end) on_end();
}

std::unique_ptr<Chain> suspend_chain(Chain& chain) {
  chain.suspended_ = true;
  return std::unique_ptr<Chain>(&chain);
}

}  // namespace farshore::detail
