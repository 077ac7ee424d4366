// SourceWatch: notices when the source falls silent and when it answers again, and measures the link's byte rate.
// Executor: the Env's. Owner: Link.
#pragma once

#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {

class SourceWatch final : public PeriodicTask {
 public:
  // `discovery` outlives it: its last error says why the source does not answer.
  SourceWatch(LinkParts link, const LinkTask& discovery)
      : PeriodicTask(link, "source-watch"), discovery_(discovery), measured_at_(link.env.now()) {}

  double bytes_per_second() const { return bytes_per_second_; }  // from the source; smoothed over a few rounds

 private:
  bool due() const override { return true; }
  Duration interval() const override { return milliseconds(500); }
  Task<Status> round(Deadline deadline) override;

  void measure_rate(uint64_t bytes);
  void judge_source();

  const LinkTask& discovery_;
  MonoTime measured_at_;
  uint64_t measured_bytes_ = 0;
  double bytes_per_second_ = 0;
};

}  // namespace farshore::linker
