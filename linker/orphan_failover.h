// OrphanFailover: ends mirrors whose link was deleted (link delete --force), so that clients can write to them. No link
// speaks for such a topic any more, so its operator names it without one.
// Executor: the Env's. Owner: the call.
#pragma once

#include <string>
#include <vector>

#include "linker/link/verbs/caller.h"
#include "linker/link_registry.h"

namespace farshore::linker {

class OrphanFailover {
 public:
  // `target` and `links` outlive it.
  OrphanFailover(ClusterAdmin& target, const LinkRegistry& links)
      : mirrors_(target.client()), target_(target), links_(links) {}

  // The mirrors at the target whose link this gateway does not know.
  Task<Result<std::vector<std::string>>> find(Deadline deadline);
  // kInvalidArgument: the topic has a link (says which), or is no mirror.
  Task<Result<api::VerbProgress>> run(std::string topic, bool dry_run, CallerPtr caller, Deadline deadline);

 private:
  std::string link_of(const MirrorTopicAnswer& topic) const;  // empty: it was deleted

  MirrorClient mirrors_;
  ClusterAdmin& target_;
  const LinkRegistry& links_;
};

}  // namespace farshore::linker
