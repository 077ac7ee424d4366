#include "linker/link/tasks/ownership_watch.h"

namespace farshore::linker {

Task<Status> OwnershipWatch::round(Deadline deadline) {
  const MonoTime asked = link_.env.now();
  auto ours = co_await link_.ownership.check(deadline);
  if (ours) link_.status.target_answered(asked);
  if (link_.status.fenced()) link_.topics.stop_all(link_.status.reason());
  co_return ours;
}

}  // namespace farshore::linker
