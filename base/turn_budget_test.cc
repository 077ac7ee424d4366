#include "base/turn_budget.h"

#include <gtest/gtest.h>

#include "base/gate.h"
#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

Task<void> work(Reactor& reactor, int steps, size_t bytes, int& done) {
  TurnBudget turn(reactor);
  for (done = 0; done < steps; ++done)
    if (turn.spend(bytes)) co_await turn.next_turn();
}

Task<void> count_turns(Reactor& reactor, const int& work_done, int until, int& turns) {
  while (work_done < until) {
    ++turns;
    Wait<void> turn(reactor);
    reactor.post([turn] { turn.complete(ok()); });
    (void)co_await turn.wait(Deadline::never());
  }
}

TEST(TurnBudget, LongWorkGivesWayOnceABudgetOfBytesIsSpent) {
  ManualReactor reactor;
  int done = 0, turns = 0;
  start(reactor, work(reactor, 100, TurnBudget::kBytesMax / 4, done));
  start(reactor, count_turns(reactor, done, 100, turns));
  reactor.run();
  EXPECT_EQ(done, 100);
  EXPECT_GE(turns, 24);
}

TEST(TurnBudget, ShortWorkIsNotInterrupted) {
  ManualReactor reactor;
  TurnBudget turn(reactor);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(turn.spend(100));
  EXPECT_TRUE(turn.spend(TurnBudget::kBytesMax));
}

TEST(TurnBudget, TimeEndsATurnWhateverTheBytes) {
  ManualReactor reactor;
  TurnBudget turn(reactor);
  EXPECT_FALSE(turn.spend(1));
  (void)reactor.arm(reactor.now() + TurnBudget::kTimeMax, [] {});
  reactor.run();
  EXPECT_TRUE(turn.spend(1));
}

}  // namespace
}  // namespace farshore
