#include "linker/link/model/silent_ends.h"

#include <algorithm>

#include "base/gate.h"

namespace farshore::linker {

Task<Status> SilentEnds::ask(Env& env, ClusterAdmin& end, Deadline deadline) {
  Duration limit = kAnswerLimit;
  if (!deadline.is_never()) limit = std::min<Duration>(limit, (deadline.at() - env.now()) * 3 / 4);
  const MonoTime begun = env.now();
  const Deadline until = env.in(limit);
  for (int attempt = 0;; ++attempt) {  // a connection may have been lost a moment ago
    auto answers = co_await identify(end, until);
    if (answers || !error_retriable(answers.error().code)) {
      if (env.now() - begun > kPromptMax) co_await env.sleep(kCallerSettles);
      co_return ok();
    }
    auto paused = co_await end.client().pause(attempt, until);
    if (!paused)
      co_return Error(answers.error().code, "the " + end.role() + " does not answer (" + answers.error().detail + ")");
  }
}

Task<void> SilentEnds::ask_into(Env& env, ClusterAdmin& end, Deadline deadline, Status& answer) {
  answer = co_await ask(env, end, deadline);
}

Task<void> SilentEnds::ask_both(LinkParts link, Deadline deadline) {
  Gate asks(link.env);
  if (source_) spawn(asks, "is the source silent", ask_into(link.env, link.source.admin(), deadline, source_));
  if (target_) spawn(asks, "is the target silent", ask_into(link.env, link.target.cluster(), deadline, target_));
  co_await asks.close();
}

std::string SilentEnds::to_string() const {
  std::string text;
  if (!source_) text = source_.error().detail;
  if (!target_) text += (text.empty() ? "" : "; ") + target_.error().detail;
  return text;
}

}  // namespace farshore::linker
