// LinkTask: base of the periodic work of a link (topic discovery, config sync, group sync). Counts the rounds, keeps
// the last error, and logs an error once, when it changes. `farshore link describe` and /metrics show the report.
// Executor: the Env's. Owner: Link.
#pragma once

#include <optional>
#include <string>

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

struct TaskReport {
  std::string name;
  Error error;              // of the last round; kNone: it went well
  int64_t last_run_ms = 0;  // wall clock, Unix epoch; 0: never
  int64_t runs = 0, errors = 0;
  std::optional<MonoTime> begun;  // when that round began: what it has found is not older
  bool enabled = true;            // false: the link is paused or fenced, or the task is switched off
};

class LinkTask {
 public:
  LinkTask(const LinkTask&) = delete;
  LinkTask& operator=(const LinkTask&) = delete;
  virtual ~LinkTask();

  TaskReport report() const;
  const Error& last_error() const { return report_.error; }

 protected:
  LinkTask(LinkParts link, std::string name);

  virtual bool enabled() const { return link_.definition.active() && !link_.status.fenced(); }
  virtual void ran(const Status& status);          // after each round
  void began(MonoTime at) { report_.begun = at; }  // the round that ran() is about
  int64_t rounds() const { return report_.runs; }

  LinkParts link_;

 private:
  TaskReport report_;
};

}  // namespace farshore::linker
