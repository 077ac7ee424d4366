// LinkStore: where links and what they must remember are kept, at the target cluster: small keys with revisions, and a
// write that states the revision it replaces. On a Farshore target its MetaStore (TargetControl); on any other Kafka
// the compacted topic __farshore_links, written by one fenced controller (kafka_link_store.h).
//
// Keys: link/<name>                    the definition (link_spec.h)
//       link/<name>/group/<group>      what this link wrote into a consumer group
//       link/<name>/topic/<topic>      relay mode: a topic at the target that this link fills (relay_topic.h)
// Executor: the Env's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace farshore::linker {

struct StoredEntry {
  std::string key, value;
  int64_t revision = 0;  // 0: not there
};

inline bool is_link_key(std::string_view key) {  // of those that begin with link/: not link/<name>/...
  return key.find('/', 5) == std::string_view::npos;
}

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
