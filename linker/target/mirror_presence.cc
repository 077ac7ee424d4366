#include "linker/target/mirror_presence.h"

namespace farshore::linker {

Task<Result<std::map<std::string, std::string>>> MirrorPresence::gone(Deadline deadline) {
  std::map<std::string, std::string> gone;
  if (known_.empty()) co_return gone;
  const auto asked = known_;  // a topic that is made while the target is asked may be missing in its answer
  CO_TRY(auto there, co_await target_.topics(deadline));
  std::map<std::string, TargetTopicId> ids;
  for (const auto& topic : there) ids[topic.name] = TargetTopicId(topic.id);
  const std::string way_out = "; `farshore mirror resume` makes it again from the source's start";
  for (const auto& [name, before] : asked) {
    auto known = known_.find(name);
    if (known == known_.end() || known->second.id != before.id) continue;
    auto found = ids.find(name);
    if (found != ids.end() && found->second == before.id) {
      known->second.missing_looks = 0;
      continue;
    }
    if (found == ids.end() && ++known->second.missing_looks < kMissingLooksMax) continue;
    gone[name] = (found == ids.end() ? "topic " + name + " was deleted at the target"
                                     : "topic " + name + " at the target is another one now") +
                 way_out;
    known_.erase(known);
  }
  co_return gone;
}

}  // namespace farshore::linker
