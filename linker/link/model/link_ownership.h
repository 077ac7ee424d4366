// LinkOwnership: whether the stored link is still this gateway's. A gateway that takes a link over raises the epoch in
// the stored definition first, so reading it tells. A Farshore target refuses every write of an older gateway by itself
// (proto/link/link_writer.h); asking here before a write tells sooner. A Kafka target cannot compare: there commits of
// groups and configs rely on it.
//
// Not to know who has the link is no loss: the target is silent, another cluster is at its address, or it was wiped.
// Then the error says so, and everything waits. A loss is believed only of the target that the link was made with.
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include <functional>

#include "base/env.h"
#include "linker/link/model/link_status.h"
#include "linker/store/link_definition.h"

namespace farshore::linker {

class LinkOwnership {
 public:
  // Whether the target that answers is the one that the link was made with; otherwise the reason.
  using CheckTarget = std::function<Task<Status>(Deadline)>;

  // References outlive it.
  LinkOwnership(Env& env, LinkDefinition& definition, LinkStatus& status, CheckTarget check_target)
      : env_(env), definition_(definition), status_(status), check_target_(std::move(check_target)) {}

  // Reads the stored definition, unless that was done within the last kFresh. kFenced: the link is not this gateway's
  // any more; then the link's status is fenced, too. kUnavailable and others: it is not known now.
  Task<Status> check(Deadline deadline);
  // Something was refused as if the link were another gateway's, or gone. The same answers.
  Task<Status> doubt(Deadline deadline);

 private:
  static constexpr Duration kFresh = milliseconds(500);

  Env& env_;
  LinkDefinition& definition_;
  LinkStatus& status_;
  const CheckTarget check_target_;
  MonoTime confirmed_;
};

}  // namespace farshore::linker
