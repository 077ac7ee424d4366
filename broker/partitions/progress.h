// Progress: who must know when something moved in one partition. A coroutine waits for the next move, as at a Notifier;
// a ProgressWatch is told of every move for as long as it lives: so a fetch of thousands of partitions looks only at
// those that moved. Executor: the broker's.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>
#include <utility>

#include "base/event.h"

namespace farshore::broker {

// At most at one partition at a time. Destroying it ends it; so does the partition's close(), after a last call.
class ProgressWatch
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // `moved` is called inline: it only notes the move. It neither begins nor ends a watch.
  explicit ProgressWatch(std::function<void()> moved) : moved_(std::move(moved)) {}
  ProgressWatch(const ProgressWatch&) = delete;
  ProgressWatch& operator=(const ProgressWatch&) = delete;
  bool active() const { return is_linked(); }

 private:
  friend class Progress;
  std::function<void()> moved_;
};

class Progress {
 public:
  explicit Progress(Reactor& reactor) : notifier_(reactor) {}

  void notify();
  // Ends all waits and watches, now and later.
  void close();
  Task<Status> wait(Deadline deadline) { return notifier_.wait(deadline); }
  void add(const Wait<void>& wait) { notifier_.add(wait); }
  void watch(ProgressWatch& watch);

 private:
  using Watches =
      boost::intrusive::list<ProgressWatch, boost::intrusive::constant_time_size<false>>;  // auto_unlink needs it
  Notifier notifier_;
  Watches watches_;
};

}  // namespace farshore::broker
