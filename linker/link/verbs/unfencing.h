// Unfencing: lets clients of a Farshore source write again to many topics, whichever links have fenced them. The source
// is asked about all topics first, with few requests; topics without a fence cost nothing more, so a call that ran out
// of time goes on where it ended when it is made again. Executor: the Env's. Owner: the call.
#pragma once

#include <string>
#include <vector>

#include "linker/link/model/link_parts.h"
#include "linker/link/verbs/caller.h"
#include "linker/link/verbs/verb_desk.h"

namespace farshore::linker {

class Unfencing {
 public:
  // `desk` outlives it.
  Unfencing(LinkParts link, VerbDesk& desk) : link_(link), desk_(desk) {}

  // How many fences each topic had, in the order of `topics` (mirror topics of the link). Errors are about one topic:
  // kConflict: another verb is at work on it; those of the source; kFenced: another gateway has the link.
  // kClosed: the caller has left.
  Task<std::vector<Result<size_t>>> run(std::vector<std::string> topics, CallerPtr caller, Deadline deadline);

 private:
  struct Work {
    std::string source_topic;
    VerbDesk::PlacePtr place;
    Result<size_t>* out;
  };
  Status enter(const std::string& topic, Result<size_t>& out);
  Task<void> lift(Work& work, MirrorTopicAnswer found, const CallerPtr& caller, Deadline deadline);

  LinkParts link_;
  VerbDesk& desk_;
  std::vector<Work> work_;
};

}  // namespace farshore::linker
