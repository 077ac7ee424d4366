// LinkFences: one fence per link, for every write that a gateway makes at its target: topics, configs, commits of
// groups, entries of the link metastore, sessions, appends, ends of mirrors. A gateway that takes a link over raises
// the epoch in the stored link. From the moment in which that is stored, no write of a lower epoch takes effect any
// more:
//
//   write()   a write enters, and is refused if the stored link has a higher epoch, or was deleted
//   take()    the stored link is about to change its owner: new writes wait, those that have entered are waited for,
//   and
//             the pump sessions of the link end, so that no append begins any more
//
// The handlers of these writes hold what write() returns until they are done. Appends hold nothing: their session is
// compared under the lock of the partition. Which link a request belongs to: its own
// fields (private APIs), or its client id (proto/link/link_writer.h).
// Executor: the broker's. Owner: Broker. Limit: one entry per link with a write under way.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/event.h"
#include "broker/metadata/refusal.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/mirror/stored_links.h"
#include "proto/link/link_writer.h"

namespace farshore::broker {

class LinkFences {
 public:
  // References outlive it.
  LinkFences(Env& env, MetadataManager& metadata, MirrorTargets& targets)
      : env_(env), metadata_(metadata), targets_(targets), links_(metadata), changed_(env) {}

  // While it lives, the link does not change its owner (write()), or has no writes (take()).
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept { *this = std::move(other); }
    Pass& operator=(Pass&& other) noexcept;
    ~Pass() { leave(); }
    void leave();

   private:
    friend class LinkFences;
    LinkFences* fences_ = nullptr;
    LinkId link_;
    bool taking_ = false;
  };
  struct Entered {
    Refusal refusal;
    Pass pass;
  };

  // PRODUCER_FENCED: another gateway has the link, or it was deleted. REQUEST_TIMED_OUT: its owner is changing.
  Task<Entered> write(LinkWriter writer, Deadline deadline);
  // The same of a request with this client id; of an ordinary client: nothing is checked.
  Task<Entered> write(std::string client_id, Deadline deadline);
  // Of a request that names its link itself. Links that are not stored pass: mirrors without a link may be ended.
  Task<Entered> write_if_stored(LinkWriter writer, Deadline deadline);

  // A write that is not done after this time hangs at a disk: a takeover goes on without it.
  static constexpr Duration kWaitMax = seconds(5);
  // kTimedOut: writes that have entered are not done yet; nothing may be changed.
  Task<Result<Pass>> take(LinkId link, Deadline deadline);

 private:
  struct Link {
    int writes = 0, takers = 0;
  };
  Task<Result<Pass>> enter(LinkId link, Deadline deadline);
  Task<Entered> compare(LinkWriter writer, bool must_be_stored, Deadline deadline);
  void end_sessions(LinkId link);
  void drop_if_idle(LinkId link);

  Env& env_;
  MetadataManager& metadata_;
  MirrorTargets& targets_;
  StoredLinks links_;
  Notifier changed_;
  std::map<LinkId, Link> under_way_;
};

}  // namespace farshore::broker
