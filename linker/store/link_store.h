// LinkStore: stores links and their records at the target cluster: entries with a revision, and a
// write that states the revision that it replaces. A Farshore target keeps them in its link metastore
// (MetastoreLinkStore), any other Kafka cluster in the compacted topic __farshore_links (KafkaLinkStore). Keys and
// values: proto/link/keys.h. Executor: the Env's.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace farshore::linker {

struct StoredEntry {
  std::string key, value;
  int64_t revision = 0;  // 0: not there
};

class LinkStore {
 public:
  virtual ~LinkStore() = default;
  // Sorted by key. kUnavailable, kTimedOut: the target does not answer.
  virtual Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline deadline) = 0;
  // Returns the new revision. An empty value deletes. kConflict: another revision than `entry.revision` is there;
  // re-read. kFenced: another gateway controls this target's links now.
  virtual Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) = 0;
};

}  // namespace farshore::linker
