// StoredLinks: the links that are stored in this cluster's link metastore, by their id. A link that is not there was
// deleted, and never comes back: ids are random.
// Executor: the broker's. Owner: Broker.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/metadata/metadata.h"
#include "proto/link/stored_link.h"

namespace farshore::broker {

class StoredLinks {
 public:
  explicit StoredLinks(MetadataManager& metadata) : metadata_(metadata) {}

  // nullopt: there is none. Errors of the store. One key is read; all links only for an id that was not asked before,
  // and never what belongs to them (a link may own a million entries).
  Task<Result<std::optional<StoredLink>>> find(LinkId link, Deadline deadline);

 private:
  static constexpr size_t kPageEntries = 16;
  Task<Result<std::optional<StoredLink>>> read(std::string key, LinkId link, Deadline deadline);

  MetadataManager& metadata_;
  std::map<LinkId, std::string> keys_;  // of those that were found, as many as there are links
};

}  // namespace farshore::broker
