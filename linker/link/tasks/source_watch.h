// SourceWatch: notices when the source or the target falls silent and when it answers again, and measures the link's
// byte rate. An end is silent if it was asked for ten seconds and has not answered: what was seen before a pause of the
// link does not count. A link with a silent end is UNAVAILABLE, and its reason names the end; topics become
// SOURCE_UNAVAILABLE by the source alone. Executor: the Env's. Owner: Link.
#pragma once

#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {

class SourceWatch final : public PeriodicTask {
 public:
  // Both outlive it: their last errors say why the source, or the target, does not answer.
  SourceWatch(LinkParts link, const LinkTask& discovery, const LinkTask& ownership)
      : PeriodicTask(link, "source-watch"),
        discovery_(discovery),
        ownership_(ownership),
        active_since_(link.env.now()),
        measured_at_(link.env.now()) {}

  double bytes_per_second() const { return bytes_per_second_; }  // from the source; smoothed over a few rounds

 private:
  bool due() const override { return true; }
  Duration interval() const override { return milliseconds(500); }
  Task<Status> round(Deadline deadline) override;

  void measure_rate(uint64_t bytes);
  bool source_is_silent(Error& why) const;
  bool target_is_silent(Error& why) const;
  void judge_ends();

  const LinkTask &discovery_, &ownership_;
  bool source_silent_ = false, target_silent_ = false;  // as last judged, since the link became active
  MonoTime active_since_;
  MonoTime measured_at_;
  uint64_t measured_bytes_ = 0;
  double bytes_per_second_ = 0;
};

}  // namespace farshore::linker
