// OrphanFailover: ends mirrors whose link was deleted (link delete --force), so that clients can write to them. No link
// speaks for such a topic any more, so its operator names it without one. Which links live is read from the target, and
// not from this gateway's memory: another gateway may have taken over, and have made links since.
// Executor: the Env's. Owner: the call.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "linker/link/verbs/topic_verb.h"
#include "linker/link_registry.h"

namespace farshore::linker {

class OrphanFailover {
 public:
  // `target` and `links` outlive it.
  OrphanFailover(Env& env, ClusterAdmin& target, const LinkRegistry& links)
      : env_(env), mirrors_(target.client()), target_(target), links_(links) {}

  // Before the others: reads the stored links. kInvalidArgument: the target is no Farshore cluster, so it has no
  // mirrors. kUnavailable, kTimedOut: the target does not answer.
  Task<Status> load(Deadline deadline);
  // The mirrors at the target whose link is not stored any more. kNotFound: there are none; says what there is instead.
  // kCorrupt: a stored link cannot be read, so it is not known whose mirrors are its own.
  Task<Result<std::vector<std::string>>> find(Deadline deadline);
  // Tells `progress` the outcome. kInvalidArgument: the topic has a link (says which), or is no mirror.
  Task<Status> run(std::string topic, bool dry_run, TopicVerb::Progress progress, CallerPtr caller, Deadline deadline);

 private:
  // What a gateway has stored about this end of the topic goes into the record, whichever link it was.
  Task<Status> complete(std::string topic, PromotionRecord& record, Deadline deadline);
  std::string link_of(const MirrorTopicAnswer& topic) const;  // empty: it was deleted

  Env& env_;
  MirrorClient mirrors_;
  ClusterAdmin& target_;
  const LinkRegistry& links_;
  std::map<LinkId, std::string> stored_;  // the links that live, with their names
  std::vector<std::string> names_;        // of all links that have stored something, deleted ones too
  std::string unreadable_;                // the key of a stored link that could not be read; empty: there is none
};

}  // namespace farshore::linker
