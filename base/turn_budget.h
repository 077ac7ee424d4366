// TurnBudget: how much a long piece of work may do before the rest of the process gets its turn. One thread serves
// every connection, so work that reads a whole segment, a whole log or every record of a batch must give way.
//
// Rule for the author of a loop over data (bytes, batches, records, entries): the loop has a TurnBudget. A read of
// cached bytes does not suspend, so "it awaits the disk" is not enough. BatchScanner has a budget inside; a loop over
// the records of a batch takes the scanner's.
//
//   TurnBudget turn(env);
//   for (...) {
//     ...                                                     // at most about 1 MiB of work
//     if (turn.spend(bytes)) co_await turn.next_turn();
//   }
//
// After next_turn() everything that the executor had to do was done once; sockets were looked at, too. Whatever the
// loop knew before may have changed. Executor: the Env's.
#pragma once

#include "base/wait.h"

namespace farshore {

class TurnBudget {
 public:
  static constexpr size_t kBytesMax = 1 << 20;           // what counts where the clock stands still (the simulation)
  static constexpr Duration kTimeMax = milliseconds(1);  // what counts in a real process

  explicit TurnBudget(Reactor& reactor) : reactor_(reactor), began_(reactor.now()) {}

  // Counts work that was done. True: the turn is over, the caller awaits next_turn() before it goes on.
  bool spend(size_t bytes) {
    bytes_ += bytes;
    return bytes_ >= kBytesMax || reactor_.now() - began_ >= kTimeMax;
  }
  Task<void> next_turn();

 private:
  Reactor& reactor_;
  MonoTime began_;
  size_t bytes_ = 0;
};

}  // namespace farshore
