// LinkDefinition: the stored definition of one link (entry link/<name> of the LinkStore), as this gateway knows it, and
// the only place that changes it. Every change is a compare-and-set on the entry's revision, so two gateways never
// overwrite each other: a gateway that takes a link over raises its epoch first.
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/async_mutex.h"
#include "linker/store/link_store.h"
#include "proto/link/keys.h"
#include "proto/link/stored_link.h"

namespace farshore::linker {

inline constexpr LinkEpoch kFirstLinkEpoch{1};  // of a link that no gateway has taken over yet

class LinkDefinition {
 public:
  // Changes the definition, or refuses with the reason. May be called more than once for one update.
  using Edit = std::function<Status(StoredLink&)>;

  // `link` is stored with `revision`. `store` outlives the definition.
  LinkDefinition(Reactor& reactor, LinkStore& store, StoredLink link, int64_t revision);

  const StoredLink& link() const { return link_; }
  const LinkSpec& spec() const { return link_.spec; }
  int64_t revision() const { return revision_; }
  bool active() const { return link_.state == LinkState::kActive; }  // as the operator wants it
  bool paused() const { return link_.state == LinkState::kPaused; }
  bool topic_paused(const std::string& topic) const;

  // Stores the edited definition and returns the one that it replaced. kConflict, kFenced: another gateway has the link
  // now. Other errors of the store: the new definition may be stored or not; the next update finds out.
  Task<Result<StoredLink>> update(Edit edit, Deadline deadline);
  // The stored entry, if it is still this gateway's (same link id, same epoch). kConflict: another gateway has the
  // link. kNotFound: the link is not there: it was deleted, or the target is not the one that it was stored at.
  Task<Result<StoredEntry>> stored_if_ours(Deadline deadline);
  // Deletes the entry, then what the link kept under link/<name>/. Entries of relayed topics stay: they list what the
  // garbage collection still has to do (linker/relay/garbage.h).
  Task<Status> forget(Deadline deadline);

  // Cluster ids that the first contact with both clusters found. Stored with the next update.
  void learn_cluster_ids(const ClusterId& source, const ClusterId& target);

 private:
  Task<Status> reread(Deadline deadline);
  void take(StoredLink link);
  // `ended`: nothing more can be deleted.
  Task<void> forget_one(StoredEntry left, bool& ended, Deadline deadline);
  std::string key() const { return link_key(link_.spec.name); }

  Reactor& reactor_;
  LinkStore& store_;
  StoredLink link_;
  std::set<std::string> paused_topics_;  // of link_
  int64_t revision_;
  AsyncMutex storing_;
};

}  // namespace farshore::linker
