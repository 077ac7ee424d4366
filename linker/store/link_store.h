// LinkStore: stores links and their records at the target cluster: entries with a revision, and a
// write that states the revision that it replaces. A Farshore target keeps them in its link metastore
// (MetastoreLinkStore), any other Kafka cluster in the compacted topic __farshore_links (KafkaLinkStore). Keys and
// values: proto/link/keys.h. Executor: the Env's.
//
// A link may own any number of entries (one per consumer group). So nothing reads "all entries": page() answers a part,
// links() passes over what belongs to links, and list() has a limit.
#pragma once

#include <set>
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

// The end of the range of all keys that begin with `prefix`.
std::string end_of_prefix(std::string prefix);

struct StoredPage {
  std::vector<StoredEntry> entries;  // sorted by key
  bool more = false;                 // the range has further entries behind them
};

class LinkStore {
 public:
  virtual ~LinkStore() = default;
  // Errors of all reads: kUnavailable, kTimedOut: the target does not answer. kFenced: another gateway controls this
  // target's links now.

  // The entry; with revision 0 if it is not there.
  virtual Task<Result<StoredEntry>> read(std::string key, Deadline deadline) = 0;
  // The first entries with keys in [begin, end): at least one, if there is any.
  virtual Task<Result<StoredPage>> page(std::string begin, std::string end, Deadline deadline) = 0;
  // Returns the new revision. An empty value deletes. kConflict: another revision than `entry.revision` is there;
  // re-read. kFenced: another gateway controls this target's links now.
  virtual Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) = 0;

  // The entries of the links themselves (keys link/<name>), sorted. Costs work in proportion to the links, however many
  // entries belong to them.
  virtual Task<Result<std::vector<StoredEntry>>> links(Deadline deadline);
  // The names of all links that have an entry, deleted ones too (their reports stay). The same cost.
  Task<Result<std::vector<std::string>>> names(Deadline deadline);
  // The names of links that have entries, but not their own: they were deleted, and by a gateway that died then. Costs
  // as links(). A link that is made meanwhile may be among them: look for its entry again.
  Task<Result<std::vector<std::string>>> deleted_links(Deadline deadline);
  // The entries whose keys begin with `prefix`, page by page, sorted. kResourceExhausted: there are more than
  // kListedEntriesMax.
  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline deadline);

  static constexpr size_t kListedEntriesMax = 1'000'000;

 private:
  struct Walk {
    std::vector<StoredEntry> links;
    std::set<std::string> with_children;  // names
  };
  Task<Result<Walk>> walk(Deadline deadline);
};

}  // namespace farshore::linker
