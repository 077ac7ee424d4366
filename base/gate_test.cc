#include "base/gate.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

TEST(Gate, HolderEntersAndLeaves) {
  ManualReactor reactor;
  Gate gate(reactor);
  {
    Gate::Holder holder(gate);
    EXPECT_TRUE(holder);
    EXPECT_EQ(gate.count(), 1u);
    Gate::Holder moved = std::move(holder);
    EXPECT_FALSE(holder);
    EXPECT_EQ(gate.count(), 1u);
  }
  EXPECT_EQ(gate.count(), 0u);
}

TEST(Gate, HolderOfAClosedGateIsEmptyAndChangesNothing) {
  ManualReactor reactor;
  Gate gate(reactor);
  start(reactor, gate.close());
  reactor.run();
  Gate::Holder holder(gate);
  EXPECT_FALSE(holder);
  EXPECT_EQ(gate.count(), 0u);
}

TEST(Gate, HolderOutlivesItsGateWhenTheEnvIsDead) {
  ManualReactor reactor;
  std::optional<Gate> gate(std::in_place, reactor);
  std::optional<Gate::Holder> holder(std::in_place, *gate);
  reactor.kill();
  gate.reset();    // frames of a dead Env are destroyed in any order
  holder.reset();  // reads nothing of the gate (the address sanitizer would tell)
}

}  // namespace
}  // namespace farshore
