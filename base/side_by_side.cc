#include "base/side_by_side.h"

#include <algorithm>

namespace farshore {
namespace {

struct ManyThings {
  size_t next = 0, count = 0;
  OneOfMany one;
};

// `things` lives in the frame of side_by_side(), which waits for the end of all workers.
Task<void> work_on(ManyThings& things) {
  while (things.next < things.count) {
    const size_t at = things.next++;
    co_await things.one(at);
  }
}

}  // namespace

Task<void> side_by_side(Reactor& reactor, size_t count, size_t at_once, OneOfMany one) {
  ManyThings things;
  things.count = count;
  things.one = std::move(one);
  Gate workers(reactor);
  const size_t most = std::min(count, std::max<size_t>(at_once, 1));
  for (size_t i = 0; i < most; ++i) spawn(workers, "side by side", work_on(things));
  co_await workers.close();
}

}  // namespace farshore
