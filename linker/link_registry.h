// LinkRegistry: the links that this gateway runs, by name, the backend that they are stored in, and whether the gateway
// has taken its stored links over yet.
// Executor: the Env's. Owner: Gateway.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/async_mutex.h"
#include "linker/backend/backend.h"
#include "linker/link/link.h"

namespace farshore::linker {

class LinkRegistry {
 public:
  using LinkPtr = std::shared_ptr<Link>;  // a call under way keeps its link until it returns
  using Map = std::map<std::string, LinkPtr>;

  // `env` and `connector` outlive it. `options` are for every link.
  LinkRegistry(Env& env, Connector& connector, replicator::ReplicatorOptions options);
  ~LinkRegistry();

  // Null until the target is known. Set once.
  LinkBackend* backend() const { return backend_.get(); }
  void set_backend(std::unique_ptr<LinkBackend> backend) { backend_ = std::move(backend); }

  const Map& all() const { return links_; }
  bool has(const std::string& name) const { return links_.count(name) != 0; }
  // kNotFound names the links that there are. kUnsupported: the stored link cannot be read. kUnavailable: the stored
  // links have not been taken over yet.
  Result<LinkPtr> find(const std::string& name) const;

  // One change of the set of links at a time: held from the look at the stored links to the change here.
  Task<AsyncMutex::Guard> lock() { return changing_.lock(); }
  Task<Result<AsyncMutex::Guard>> lock(Deadline deadline) { return changing_.lock(deadline); }
  // Stored links whose entries cannot be read (damaged, or of a newer release), with the reason and the way out. They
  // are shown as FAILED, nothing of them runs, and all others run.
  struct Unreadable {
    int64_t revision = 0;  // of the entry
    Error why;
    api::Link shown(const std::string& link) const;  // as a listing shows it
  };
  const std::map<std::string, Unreadable>& unreadable() const { return unreadable_; }
  void add_unreadable(const std::string& name, int64_t revision, const Error& why);
  // Deletes the entry of such a link. kNotFound: there is none. kConflict: it was changed meanwhile.
  Task<Status> forget_unreadable(std::string name, Deadline deadline);

  // Makes and starts a stored link. Errors: LinkBackend::make_target; kClosed: the gateway is stopping.
  Result<LinkPtr> add(const StoredLink& link, int64_t revision);
  // True: the caller stops it. False: the gateway is stopping, and stop() does.
  bool remove(const std::string& name);
  Task<void> remove_all();  // and stops them
  // Removes and stops the links that another gateway deleted: they keep nobody from making a link of that name. With
  // lock() held.
  Task<void> remove_deleted();
  // The links, then the backend. From its call on nothing is added or removed.
  Task<void> stop();
  void clear() { links_.clear(); }  // after stop()

  bool ready() const { return ready_; }
  const std::string& not_ready_reason() const { return not_ready_reason_; }  // empty when ready
  Status check_ready() const;                                                // kUnavailable, with the reason
  void set_ready();
  void set_not_ready(std::string reason);

 private:
  Env& env_;
  Connector& connector_;
  const replicator::ReplicatorOptions options_;
  SlabArena arena_;
  std::unique_ptr<LinkBackend> backend_;  // outlives the links
  Map links_;
  std::map<std::string, Unreadable> unreadable_;  // by name; at most as many as are stored
  AsyncMutex changing_;
  bool ready_ = false, stopping_ = false;
  std::string not_ready_reason_ = "the stored links have not been read yet";
};

}  // namespace farshore::linker
