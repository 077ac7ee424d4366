// MetastoreLinkStore: the LinkStore of a Farshore target: entries are in the cluster's link metastore (private API
// LinkState, proto/link/link_metastore.h), whose transactions compare revisions.
// Executor: the Env's.
#pragma once

#include "linker/store/link_store.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::linker {

class MetastoreLinkStore final : public LinkStore {
 public:
  explicit MetastoreLinkStore(kafka::ClusterClient& cluster) : cluster_(cluster) {}  // `cluster` outlives it

  Task<Result<StoredEntry>> read(std::string key, Deadline deadline) override;
  Task<Result<StoredPage>> page(std::string begin, std::string end, Deadline deadline) override;
  // If the answer is lost, the entry is read again and says whether the write was carried out. If it was not, the write
  // is sent once more.
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) override;

 private:
  kafka::ClusterClient& cluster_;
};

}  // namespace farshore::linker
