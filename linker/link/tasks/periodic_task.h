// PeriodicTask: a LinkTask with a loop of its own: one round every interval() while due(), and one at once after
// wake(). Executor: the Env's. Owner: Link, which spawns run() and waits for its end before the task goes.
#pragma once

#include "linker/link/tasks/link_task.h"

namespace farshore::linker {

class PeriodicTask : public LinkTask {
 public:
  Task<void> run();  // until stop()
  // The pause that is under way ends. A wake() during a round makes another one follow it.
  void wake() { wake_.set(); }
  void stop();  // once the link's stopping event is set: ends run() and first_round()
  // Waits for the first round to end, and returns its error. kTimedOut: there was none yet.
  Task<Status> first_round(Deadline deadline);

 protected:
  PeriodicTask(LinkParts link, std::string name)
      : LinkTask(link, std::move(name)), wake_(link.env), round_ended_(link.env) {}

  virtual bool due() const = 0;
  virtual Duration interval() const = 0;
  virtual Task<Status> round(Deadline deadline) = 0;  // kTimedOut after 20 seconds
  void ran(const Status& status) override;

 private:
  Event wake_;
  Notifier round_ended_;
};

}  // namespace farshore::linker
