#include "linker/link/tasks/report_cleanup.h"

#include <set>

namespace farshore::linker {

Task<Status> ReportCleanup::run(Deadline deadline) {
  if (done_ || link_.env.now() < next_look_) co_return ok();
  CO_TRY(auto view, co_await link_.target.cluster().client().refresh_all(deadline));
  next_look_ = link_.env.in(kPause).at();
  std::set<std::string> reported = link_.reports.topics();
  reported.merge(link_.losses.topics());
  std::map<std::string, int> missing;
  std::set<std::string> gone;
  for (const std::string& topic : reported) {
    if (view->topics.contains(topic)) continue;  // also one that cannot be used now
    missing[topic] = missing_looks_[topic] + 1;
    if (missing[topic] >= kLooks) gone.insert(topic);
  }
  missing_looks_ = std::move(missing);
  CO_CHECK(co_await link_.reports.forget(gone, deadline));
  CO_CHECK(co_await link_.losses.forget(gone, deadline));
  for (const std::string& topic : gone) missing_looks_.erase(topic);
  done_ = missing_looks_.empty();
  co_return ok();
}

}  // namespace farshore::linker
