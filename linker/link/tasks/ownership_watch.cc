#include "linker/link/tasks/ownership_watch.h"

namespace farshore::linker {

Task<Status> OwnershipWatch::round(Deadline deadline) {
  auto ours = co_await link_.ownership.check(deadline);
  if (link_.status.fenced()) link_.topics.stop_all(link_.status.reason());
  co_return ours;
}

}  // namespace farshore::linker
