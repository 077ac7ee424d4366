// LinkBackend: where a gateway's links are stored and what their targets are made of: the MetaStore of a Farshore
// cluster (FarshoreBackend: mirrors), or topics of any other Kafka cluster (KafkaBackend: relays).
// Executor: the Env's. Owner: LinkTakeover; it outlives the links. Deadlines are the caller's.
#pragma once

#include <memory>

#include "base/kv.h"
#include "linker/store/link_store.h"
#include "linker/target/link_target.h"

namespace farshore::linker {

class LinkBackend {
 public:
  virtual ~LinkBackend() = default;

  // Takes control of the target's links: an earlier gateway is fenced from then on. Called until it succeeds, and never
  // again. kFenced: another gateway took control meanwhile. kUnavailable, kTimedOut: the target does not answer.
  virtual Task<Status> take_over(Deadline deadline) = 0;
  virtual LinkStore& store() = 0;
  // kFenced: another gateway has taken control since, with the reason.
  virtual Task<Status> still_ours(Deadline deadline) = 0;
  // kInvalidArgument: this mode does not work into this cluster; says which does.
  virtual Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) = 0;
  // Removes what deleted links have left at the target: of this name, or of all if it is empty. After an error the rest
  // is still listed at the target, and a later call goes on.
  virtual Task<Status> collect_garbage(std::string, Deadline) { co_return ok(); }
  virtual void show_metrics(MetricRegistry&) const {}
  virtual Task<void> stop() = 0;  // when all links have stopped
};

struct LinkBackendOptions {
  std::vector<Endpoint> target;  // bootstrap of the cluster
  ClusterId target_cluster_id;
  KvStore* translations = nullptr;  // keeps the image of relay translations; null: in memory
};

// The backend for that cluster. `target` is an admin of it. All references outlive the backend.
std::unique_ptr<LinkBackend> make_link_backend(Env& env, Connector& connector, ClusterAdmin& target, bool farshore,
                                               LinkBackendOptions options);

}  // namespace farshore::linker
