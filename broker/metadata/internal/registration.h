// Registration: what a broker writes to the MetaStore when it starts: the cluster record (first start only), its own
// record, and the raised leadership epochs of its partitions.
// Executor: the broker's. Durability: a step that returned ok is durable.
#pragma once

#include <string>

#include "base/env.h"
#include "base/meta_store.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

class Registration {
 public:
  Registration(Env& env, MetaStore& store, const BrokerImage& self) : env_(env), store_(store), self_(self) {}

  // Writes the cluster record if there is none: of several brokers one succeeds, and the others read its record.
  // `cluster_id` empty: any. `salt` 0: as stored, random at first. kInvalidArgument: the store belongs to another
  // cluster than `cluster_id`. kConflict: another process changed the record meanwhile.
  Task<Status> ensure_cluster(std::string cluster_id, int64_t salt, Deadline deadline);
  // kConflict: another process keeps registering with the same broker id.
  Task<Status> register_broker(Deadline deadline);
  // Raises the epoch of every partition of `image` that this broker leads. Returns how many there are. kConflict:
  // another process changes the same partitions.
  Task<Result<size_t>> raise_epochs(std::shared_ptr<const ClusterImage> image, Deadline deadline);

 private:
  Task<Status> change_salt(MetaEntry stored, int64_t salt, Deadline deadline);

  Env& env_;
  MetaStore& store_;
  const BrokerImage& self_;
};

}  // namespace farshore::broker
