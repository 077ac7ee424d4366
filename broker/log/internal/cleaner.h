// Cleaner: compaction. Of every key, the latest record stays. It cleans whole segments below the active one, and makes
// one segment of small neighbours. Reads and appends go on meanwhile; only the swap of a cleaned segment takes the
// writer lock. Logs with transactional batches are refused (kUnsupported).
// Executor: the Env's.
#pragma once

#include <vector>

#include "base/async_mutex.h"
#include "broker/log/internal/flusher.h"
#include "broker/log/internal/segment_rewriter.h"

namespace farshore {

class Cleaner {
 public:
  Cleaner(LogState& state, LogDirectory& directory, LogHealth& health, Flusher& flusher, AsyncMutex& writer)
      : state_(state), directory_(directory), health_(health), flusher_(flusher), writer_(writer) {}

  // As Log::clean. A call while another one runs does nothing.
  Task<Result<uint64_t>> clean();

 private:
  using Group = std::vector<SegmentPtr>;
  Task<Result<uint64_t>> pass();
  Group cleanable(int64_t now_ms) const;
  Task<Result<size_t>> read_keys(Group segments, uint64_t generation, KeyOffsets& keys);
  std::vector<Group> make_groups(Group segments) const;
  Task<Result<uint64_t>> clean_group(Group group, const SegmentRewriter& rewriter);
  Task<Result<bool>> swap_in(SegmentPtr cleaned, Group group, uint64_t generation);
  Task<Status> write_indexes(SegmentPtr cleaned);

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  Flusher& flusher_;
  AsyncMutex& writer_;
  bool running_ = false;
};

}  // namespace farshore
