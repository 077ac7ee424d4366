// OwnershipWatch: asks every two seconds whether the link is still this gateway's, and stops everything that writes if
// it is not: the topics become FAILED, without pumps. It also acts when something else has found that out (a pump that
// was fenced). Its question is also what tells whether the target answers (LinkStatus). Executor: the Env's. Owner:
// Link.
#pragma once

#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {

class OwnershipWatch final : public PeriodicTask {
 public:
  explicit OwnershipWatch(LinkParts link) : PeriodicTask(link, "ownership") {}

 private:
  bool enabled() const override { return true; }
  bool due() const override { return true; }
  // Also after it is lost: it may be deleted then, and this gateway forgets it.
  Duration interval() const override { return link_.status.fenced() ? seconds(10) : seconds(2); }
  Task<Status> round(Deadline deadline) override;
};

}  // namespace farshore::linker
