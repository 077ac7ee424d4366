// VerbDesk: at most one operation of an operator is at work on a mirror topic, or on the whole link. A second one is
// refused and told who is at work. A failover is the exception: in an emergency it takes the place of a promote. The
// promote that lost its place still undoes what it has done: until its end only another failover is let in.
// Executor: the Env's. Owner: Link.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/env.h"

namespace farshore::linker {

class VerbDesk {
 public:
  explicit VerbDesk(Env& env) : env_(env) {}

  // At work for as long as it lives. The desk outlives it.
  class Place {
   public:
    Place(VerbDesk& desk, std::string topic, std::string verb, MonoTime since)
        : desk_(desk), topic_(std::move(topic)), verb_(std::move(verb)), since_(since) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { desk_.leave(*this); }
    const std::string& verb() const { return verb_; }
    MonoTime since() const { return since_; }
    // A failover has taken the place: this verb changes nothing any more.
    bool displaced() const { return displaced_; }

   private:
    friend class VerbDesk;
    VerbDesk& desk_;
    const std::string topic_, verb_;
    const MonoTime since_;
    bool displaced_ = false;
  };
  using PlacePtr = std::unique_ptr<Place>;

  // kConflict: says which verb is at work, and since when. `topic` empty: the whole link.
  Result<PlacePtr> enter(const std::string& topic, const std::string& verb);
  Result<PlacePtr> enter_for_failover(const std::string& topic);

 private:
  void leave(const Place& place);
  Error busy(const Place& at_work) const;
  PlacePtr take(const std::string& topic, const std::string& verb);

  Env& env_;
  std::map<std::string, Place*> places_;  // by topic; empty: the whole link
  std::multimap<std::string, const Place*> displaced_;
};

}  // namespace farshore::linker
