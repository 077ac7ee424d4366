// LinkHome: where a gateway's links live, and what they are made of: in the MetaStore of a Farshore target (mirrors),
// or in topics of any other Kafka (relays: __farshore_links, and __farshore_offsets with its local image). Executor:
// the Env's. Owner: Gateway; it outlives the links.
#pragma once

#include <memory>

#include "base/kv.h"
#include "linker/link/target.h"
#include "linker/store/link_store.h"

namespace farshore::linker {

class LinkHome {
 public:
  virtual ~LinkHome() = default;

  // Takes hold of the target's links: from then on an earlier gateway is fenced. Called until it goes well, and never
  // again: who is fenced later stays so. kUnavailable, kTimedOut: the target does not answer.
  virtual Task<Status> take_over(Deadline deadline) = 0;
  virtual LinkStore& store() = 0;
  // kFenced, in words: another gateway has taken over since. Asked now and then.
  virtual Task<Status> still_ours(Deadline deadline) = 0;
  // kInvalidArgument: this mode does not work into this cluster; says which does.
  virtual Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) = 0;
  // Forgets what deleted links have left (of this name; empty: of any). Calls that failed may be made again: nothing is
  // forgotten about what is left.
  virtual Task<Status> forget_deleted(std::string, Deadline) { co_return ok(); }
  virtual void show_metrics(MetricRegistry&) const {}
  // When all links have stopped.
  virtual Task<void> stop() = 0;
};

struct LinkHomeOptions {
  std::vector<Endpoint> target;  // bootstrap of the cluster
  ClusterId target_cluster_id;
  KvStore* translations = nullptr;  // keeps the image of relay translations; null: in memory
};

// `target` is an admin of that cluster. All references outlive the home.
std::unique_ptr<LinkHome> make_link_home(Env& env, Connector& connector, ClusterAdmin& target, bool farshore,
                                         LinkHomeOptions options);

}  // namespace farshore::linker
