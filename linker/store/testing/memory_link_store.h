// MemoryLinkStore: a LinkStore with room for one entry, for tests. A write can be carried out and its answer be lost,
// and reads can fail.
#pragma once

#include "linker/store/link_store.h"

namespace farshore::linker {

class MemoryLinkStore final : public LinkStore {
 public:
  StoredEntry stored;
  int lose_answers = 0, unavailable = 0, writes = 0;

  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline) override {
    std::vector<StoredEntry> found;
    if (unavailable > 0) {
      --unavailable;
      co_return Error(ErrorCode::kUnavailable);
    }
    if (stored.revision > 0 && stored.key.starts_with(prefix)) found.push_back(stored);
    co_return found;
  }
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline) override {
    ++writes;
    if (entry.revision != stored.revision) co_return Error(ErrorCode::kConflict);
    entry.revision = stored.revision + 1;
    stored = std::move(entry);
    if (lose_answers > 0) {
      --lose_answers;
      co_return Error(ErrorCode::kConnectionReset);
    }
    co_return stored.revision;
  }
};

}  // namespace farshore::linker
