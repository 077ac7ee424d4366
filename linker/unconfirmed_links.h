// UnconfirmedLinks: links that this gateway has created, but whose write to the store was never answered. The write may
// still arrive, so for five minutes the gateway looks whether the link is stored, and then runs it.
// Executor: the Env's. Owner: Gateway.
#pragma once

#include <map>

#include "linker/link_registry.h"

namespace farshore::linker {

class UnconfirmedLinks {
 public:
  // References outlive it.
  UnconfirmedLinks(Env& env, LinkRegistry& links) : env_(env), links_(links) {}

  bool empty() const { return ids_.empty(); }
  void add(const LinkId& link);
  // Adds those that are stored to the registry, whose lock is held. A link that another gateway has taken over since
  // (its epoch was raised) is left to it.
  Task<Status> adopt(Deadline deadline);

 private:
  Env& env_;
  LinkRegistry& links_;
  std::map<LinkId, MonoTime> ids_;  // looked for until then
};

}  // namespace farshore::linker
