// LossReports: which records of each mirror topic of one link were lost (proto/link/loss_report.h), as it is stored at
// the target. LossSink stores what this gateway is about to lose, and what it has lost; PumpEvents notes what pumps
// only find.
// Executor: the Env's. Owner: Link. Deadlines are the caller's. Limit: one report per mirror topic, each of a bounded
// size.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "linker/store/link_definition.h"
#include "proto/link/loss_report.h"

namespace farshore::linker {

class LossReports {
 public:
  struct Place {
    std::string topic;  // at the target
    TargetTopicId id;
    int32_t partition = 0;
  };

  // References outlive it.
  LossReports(Env& env, LinkStore& store, const LinkDefinition& definition)
      : env_(env), store_(store), definition_(definition), storing_(env) {}

  // Reads all that are stored, the first time that it succeeds. Before that begin() and finish() fail.
  Task<Status> load(Deadline deadline);
  // Null: no loss of this topic is known.
  const LossReport* find(const std::string& topic, TargetTopicId id) const;

  // Stores that the target is about to be asked for a change that loses these records.
  Task<Status> begin(Place where, LossReport::Begun what, Deadline deadline);
  // The partition ends at `end` now: stores what has become of a change that was begun, if there is one. `cut_to`: the
  // end of what the target has cut, if it said so: appends that were on their way were cut, too.
  Task<Status> finish(Place where, SourceOffset end, SourceOffset cut_to, Deadline deadline);
  // Nothing is asked of the target: stored by store_missing().
  void note(const Place& where, LossKind kind, SourceOffset from, SourceOffset to);
  Task<Status> store_missing(Deadline deadline);
  bool some_are_missing() const;
  std::set<std::string> topics() const;  // that have a report
  // Deletes the stored reports of these topics.
  Task<Status> forget(std::set<std::string> gone, Deadline deadline);

 private:
  struct Entry {
    LossReport report;
    int64_t revision = 0;              // of the stored entry; 0: there is none
    uint64_t changes = 0, stored = 0;  // differ: the report is not stored as it is
  };
  // That of this mirror: one about another topic, or of another link, is begun anew.
  Entry& entry(const Place& where);
  Task<Status> store(std::string topic, Deadline deadline);
  int64_t now_ms() const { return env_.wall_now().milliseconds_since_epoch; }
  std::string key(const std::string& topic) const { return loss_report_key(definition_.spec().name, topic); }

  Env& env_;
  LinkStore& store_;
  const LinkDefinition& definition_;
  AsyncMutex storing_;  // many partitions of a topic that change at the same time share a write
  bool loaded_ = false;
  std::map<std::string, Entry> entries_;  // by topic
};

}  // namespace farshore::linker
