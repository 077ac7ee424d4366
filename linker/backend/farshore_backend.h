// FarshoreBackend: links of a Farshore target. They are stored in its MetaStore, and every request of a link carries
// the link's epoch, so the cluster itself refuses an older gateway.
#pragma once

#include "linker/backend/backend.h"
#include "linker/store/metastore_link_store.h"

namespace farshore::linker {

class FarshoreBackend final : public LinkBackend {
 public:
  // References outlive it.
  FarshoreBackend(Env& env, Connector& connector, ClusterAdmin& target);

  Task<Status> take_over(Deadline) override { co_return ok(); }   // each link by its epoch
  Task<Status> still_ours(Deadline) override { co_return ok(); }  // found out link by link (LinkOwnership)
  // The memory of groups of a deleted link must not become that of the next link of that name. The reports of the ends
  // of its topics stay: each belongs to one end, and without it nobody knows any more what that end has lost.
  // For all links: looks once, and again after a link whose garbage could not be collected.
  Task<Status> collect_garbage(std::string link, Deadline deadline) override;
  LinkStore& store() override { return store_; }
  Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) override;
  Task<void> stop() override { co_return; }

 private:
  Task<Status> collect_of(std::string link, Deadline deadline);

  Env& env_;
  Connector& connector_;
  MetastoreLinkStore store_;
  bool clean_ = false;  // no deleted link has left anything that this gateway has to collect
};

}  // namespace farshore::linker
