#include "base/side_by_side.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

// Things that end when they are told to.
class SideBySideTest : public testing::Test {
 public:
  void begin(size_t count, size_t at_once) { start(reactor_, all(count, at_once)); }
  void end(size_t thing) {
    ends_[thing]->set();
    reactor_.run();
  }
  Task<void> all(size_t count, size_t at_once) {
    for (size_t i = 0; i < count; ++i) ends_.push_back(std::make_unique<Event>(reactor_));
    OneOfMany one = [this](size_t thing) { return do_one(thing); };
    co_await side_by_side(reactor_, count, at_once, std::move(one));
    done_ = true;
  }
  Task<void> do_one(size_t thing) {
    begun_.push_back(thing);
    (void)co_await ends_[thing]->wait(Deadline::never());
  }

  ManualReactor reactor_;
  std::vector<std::unique_ptr<Event>> ends_;
  std::vector<size_t> begun_;
  bool done_ = false;
};

TEST_F(SideBySideTest, AtMostSoManyThingsAreUnderWayAndTheNextBeginsWhenOneEnds) {
  begin(5, 2);
  reactor_.run();
  EXPECT_EQ(begun_, (std::vector<size_t>{0, 1}));
  end(1);
  EXPECT_EQ(begun_, (std::vector<size_t>{0, 1, 2}));
  end(2);
  end(3);
  end(4);
  EXPECT_EQ(begun_, (std::vector<size_t>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(done_) << "the first thing has not ended";
  end(0);
  EXPECT_TRUE(done_);
}

TEST_F(SideBySideTest, NothingToDoEndsAtOnceAndALimitOfZeroMeansOne) {
  begin(0, 4);
  reactor_.run();
  EXPECT_TRUE(done_);
  done_ = false;
  ends_.clear();
  begin(2, 0);
  reactor_.run();
  EXPECT_EQ(begun_, (std::vector<size_t>{0}));
  end(0);
  end(1);
  EXPECT_TRUE(done_);
}

}  // namespace
}  // namespace farshore
