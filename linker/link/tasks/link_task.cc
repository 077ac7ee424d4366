#include "linker/link/tasks/link_task.h"

namespace farshore::linker {

LinkTask::LinkTask(LinkParts link, std::string name) : link_(link) { report_.name = std::move(name); }

LinkTask::~LinkTask() = default;

TaskReport LinkTask::report() const {
  TaskReport report = report_;
  report.enabled = enabled();
  return report;
}

void LinkTask::ran(const Status& status) {
  if (!status && report_.error.to_string() != status.error().to_string())
    link_.env.log().warn("link task failed",
                         {{"link", link_.definition.spec().name}, {"task", report_.name}, {"error", status.error()}});
  report_.error = status ? Error() : status.error();
  if (!status) ++report_.errors;
  report_.last_run_ms = link_.env.wall_now().milliseconds_since_epoch;
  ++report_.runs;
}

}  // namespace farshore::linker
