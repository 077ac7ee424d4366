// SilentEnds: which ends of a link do not answer now. A command asks once, before its work on many topics: so an end
// that is down is named within seconds, and not topic by topic when the time of the command is up. Executor: the Env's.
// Owner: one call of an operator.
#pragma once

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

class SilentEnds {
 public:
  // An end that has not answered by then is silent.
  static constexpr Duration kAnswerLimit = seconds(10);

  // An end that comes back is asked at once by all who waited for it. Whoever gave up a moment before, because it was
  // silent, must be known to have left before something is begun for them: so after an answer that was late, a moment
  // passes.
  static constexpr Duration kPromptMax = seconds(1), kCallerSettles = milliseconds(500);

  // ok: the end answers. kUnavailable, kTimedOut: it did not within kAnswerLimit, or within most of the time until
  // `deadline` where that is less, so that the caller hears of it; says which end. What else may be wrong with the end
  // is left to who works with it.
  static Task<Status> ask(Env& env, ClusterAdmin& end, Deadline deadline);

  // Asks both ends at the same time. An end that was silent before is not asked again.
  Task<void> ask_both(LinkParts link, Deadline deadline);
  bool any() const { return !source_ || !target_; }
  bool both() const { return !source_ && !target_; }
  const Status& source() const { return source_; }
  const Status& target() const { return target_; }
  std::string to_string() const;  // of those that are silent

 private:
  static Task<void> ask_into(Env& env, ClusterAdmin& end, Deadline deadline, Status& answer);

  Status source_, target_;
};

}  // namespace farshore::linker
