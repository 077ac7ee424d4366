// TopicVerb: base of the operations of an operator on one mirror topic: promotion, failover. A verb is an object with
// named steps that run in order:
//
//   check()      may it run now? or has it been done before?
//   plan()       a dry run: reports the changes that run() would make, makes none
//   begin()      sets the state of the topic while the verb runs
//   steps()      each one either succeeds, or the verb gives up
//   give_up()    undoes what the steps have done so far, as far as that is safe
//
// A verb also gives up when its caller has, or when a failover has taken its place (verb_desk.h).
// The object keeps the current step and the results of earlier steps.
// Executor: the Env's. Owner: the caller of run() (Link), which waits for its end. Deadlines are the caller's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "linker/link/model/link_parts.h"
#include "linker/link/verbs/caller.h"
#include "linker/link/verbs/verb_desk.h"

namespace farshore::linker {

class TopicVerb {
 public:
  // Called on the executor with each step, and with the outcome (`done`) if the verb succeeds.
  using Progress = std::function<void(api::VerbProgress)>;

  struct Call {
    Progress progress;
    CallerPtr caller;          // null: one who never gives up
    VerbDesk::PlacePtr place;  // null: a dry run
    Call() {}
  };

  TopicVerb(const TopicVerb&) = delete;
  TopicVerb& operator=(const TopicVerb&) = delete;
  virtual ~TopicVerb();

  virtual const char* name() const = 0;
  Task<Status> run(Deadline deadline);
  Task<Status> dry_run(Deadline deadline);
  // The name of the step that runs or failed; empty before the first one and after the last.
  std::string_view current_step() const;

 protected:
  enum class Readiness : uint8_t { kReady, kDoneBefore };
  struct Step {
    std::string_view name;
    std::function<Task<Status>(Deadline)> run;
  };

  TopicVerb(LinkParts link, MirrorTopic& topic, Call call);

  virtual Task<Result<Readiness>> check(Deadline deadline) = 0;
  virtual Task<Status> plan(Deadline deadline) = 0;
  virtual void begin() {}
  virtual std::vector<Step> steps() = 0;
  // After a step failed. Returns ok if the verb has succeeded all the same, otherwise the error to report.
  virtual Task<Status> give_up(Error why) = 0;

  // kClosed, kConflict: the verb has no business any more.
  Status may_go_on() const;
  // A failover has taken the place: this verb changes nothing any more. The pumps are the failover's.
  bool displaced() const { return call_.place && call_.place->displaced(); }
  StillWanted still_wanted() const;

  void tell(api::VerbProgress message) const { call_.progress(std::move(message)); }
  void report_step(std::string text) const;
  api::VerbProgress outcome(std::string text) const;  // the last message: with the topic as it is now
  int64_t elapsed_ms() const;                         // since the verb was made; at least 1

  // Ends the mirror at the target, or (dry_run) asks what ending it now would give. A topic that was ended before keeps
  // its record. After an error the pumps go on, unless they are another verb's now.
  Task<Result<PromotionRecord>> end_at_target(EndOfTopic request, Deadline deadline);

  LinkParts link_;
  MirrorTopic& topic_;

 private:
  const Call call_;
  const MonoTime begun_;
  std::vector<Step> steps_;
  size_t at_ = 0;
};

}  // namespace farshore::linker
