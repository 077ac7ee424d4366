// Failover: ends a mirror topic now, whatever its lag, without asking the source. Possible in every state that has a
// mirror. Executor: the Env's.
#pragma once

#include "linker/link/verbs/topic_verb.h"

namespace farshore::linker {

class Failover final : public TopicVerb {
 public:
  Failover(LinkParts link, MirrorTopic& topic, Call call) : TopicVerb(link, topic, std::move(call)) {}
  const char* name() const override { return "failover"; }

 private:
  // kInvalidArgument: the topic has no mirror yet.
  Task<Result<Readiness>> check(Deadline deadline) override;
  Task<Status> plan(Deadline deadline) override;
  void begin() override { was_undecided_ = link_.ends.take(topic_.name()); }
  std::vector<Step> steps() override;
  Task<Status> give_up(Error why) override;

  Task<Status> end(bool dry_run, Deadline deadline);

  bool was_undecided_ = false;  // whether an earlier promote or failover has ended the mirror
};

}  // namespace farshore::linker
