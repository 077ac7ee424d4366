// LinkOwnership: whether the stored link is still this gateway's. A gateway that takes a link over raises the epoch in
// the stored definition first, so reading it tells. The target refuses an older gateway where it compares link epochs
// (appends, ends of mirrors). Everything else that a link writes there (new topics, configs, commits of groups) asks
// here before.
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include "base/env.h"
#include "linker/link/model/link_status.h"
#include "linker/store/link_definition.h"

namespace farshore::linker {

class LinkOwnership {
 public:
  // References outlive it.
  LinkOwnership(Env& env, LinkDefinition& definition, LinkStatus& status)
      : env_(env), definition_(definition), status_(status) {}

  // Reads the stored definition, unless that was done within the last kFresh. kFenced: the link is not this gateway's
  // any more; then the link's status is fenced, too. Other errors: the target does not answer.
  Task<Status> check(Deadline deadline);

 private:
  static constexpr Duration kFresh = milliseconds(500);

  Env& env_;
  LinkDefinition& definition_;
  LinkStatus& status_;
  MonoTime confirmed_;
};

}  // namespace farshore::linker
