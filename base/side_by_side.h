// side_by_side(): does many things that wait for others (questions to a cluster, for example), some of them at the same
// time. Over a long way, things that are done one after the other cost a round trip each. Whoever asks about each
// topic, each partition or each group uses this, or one request for many. Executor: the reactor's. Limit: `at_once`.
#pragma once

#include <functional>

#include "base/gate.h"

namespace farshore {

// Does the thing of this number. A plain function that makes a Task, or a lambda that outlives the Task.
using OneOfMany = std::function<Task<void>(size_t)>;

// Calls `one` for each number from 0 to `count` - 1, in this order, and completes when all of them have ended. At most
// `at_once` (at least 1) are under way at any time. `one` has a deadline of its own; it notes results and errors
// itself.
Task<void> side_by_side(Reactor& reactor, size_t count, size_t at_once, OneOfMany one);

}  // namespace farshore
