// TranslationCleanup: when the source has deleted records (retention), the target may drop the translation data that it
// kept about them. Works from the source's log start as it is now, not from its moves: a gateway that saw a move may be
// gone. Part of the rounds of topic discovery. Executor: the Env's. Owner: TopicDiscovery.
#pragma once

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

class TranslationCleanup {
 public:
  explicit TranslationCleanup(LinkParts link) : link_(link) {}

  // Returns the last error; what could not be dropped is tried again with the next call.
  Task<Status> run(Deadline deadline);

 private:
  LinkParts link_;
};

}  // namespace farshore::linker
