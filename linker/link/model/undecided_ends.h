// UndecidedEnds: the mirror topics of which this gateway does not know whether the target has ended them: the target
// was asked to, and the promote or failover was given up before its answer came. The target is asked again, in the
// background, until it has said:
//
//   ended      the topic becomes STOPPED, and clients of the source stay fenced (SourceFences::keep)
//   not ended  the mirror goes on, and clients of the source write again (SourceFences::lift)
//
// "Not ended" counts when the target says it twice: one that was stopped in the middle of ending a mirror goes on with
// that first. A gateway that starts anew decides in the same way, by what is at the target (SourceFences::judge).
// Executor: the Env's. Owner: Link. Limit: one entry per mirror topic.
#pragma once

#include <map>
#include <string>

#include "base/event.h"
#include "linker/link/model/end_reports.h"
#include "linker/link/model/source_fences.h"

namespace farshore::linker {

class UndecidedEnds {
 public:
  // References outlive it. `stopping`: the link ends.
  UndecidedEnds(Env& env, LinkTarget& target, replicator::Replicator& replicator, MirrorTopics& topics,
                SourceFences& fences, EndReports& reports, Event& stopping);

  // Asks until it is known, until the link ends.
  Task<void> run();
  void stop() { wake_.notify(); }

  // A request to end a mirror that nobody repeats is not carried out later than this.
  static constexpr Duration kSettles = MirrorClient::kRequestLife + seconds(2);
  // `topic`: its name at the target. What was asked of the target may be carried out until `settles` from now.
  void add(const std::string& topic, Duration settles);
  // A verb begins to work on the topic, and decides about it. True: it was undecided.
  bool take(const std::string& topic) { return open_.erase(topic) > 0; }
  // In words; empty: its end is not undecided.
  std::string describe(const std::string& topic) const;

 private:
  struct Open {
    uint64_t number = 0;  // of add()
    MonoTime settled_at;  // "not ended" counts from then on
    int not_ended = 0;    // how often the target has said so
  };
  Task<void> ask();
  // `found`: null if the target does not have the topic as the link made it.
  Task<void> decide(std::string name, Open asked, MonoTime asked_at, const TargetTopic* found);

  Env& env_;
  LinkTarget& target_;
  replicator::Replicator& replicator_;
  MirrorTopics& topics_;
  SourceFences& fences_;
  EndReports& reports_;
  Event& stopping_;
  Notifier wake_;
  uint64_t adds_ = 0;
  Error last_;  // of the last question
  std::map<std::string, Open> open_;
};

}  // namespace farshore::linker
