// Cleaner: compaction. Of every key, the latest record stays; records of aborted transactions go. It cleans whole
// segments below the active one, and makes one segment of small neighbours. Reads and appends go on meanwhile; only the
// swap of a cleaned segment takes the writer lock.
//
// The log may change while a pass runs. Segments that are gone are not brought back: a swap needs every segment of its
// group to be there still. If one is not, the pass ends at that group: its old records are still there, so what is
// above, the tombstones that delete them too, counts as not cleaned. After a cut nothing that was learnt about keys is
// true any more: the pass ends. Executor: the Env's.
#pragma once

#include <optional>
#include <vector>

#include "base/async_mutex.h"
#include "broker/log/internal/batch_locator.h"
#include "broker/log/internal/flusher.h"
#include "broker/log/internal/segment_rewriter.h"

namespace farshore {

class Cleaner {
 public:
  Cleaner(LogState& state, LogDirectory& directory, LogHealth& health, BatchLocator& locator, Flusher& flusher,
          AsyncMutex& writer)
      : state_(state), directory_(directory), health_(health), locator_(locator), flusher_(flusher), writer_(writer) {}

  // As Log::clean. A call while another one runs does nothing.
  Task<Result<uint64_t>> clean();

 private:
  using Group = std::vector<SegmentPtr>;
  Task<Result<uint64_t>> pass();
  Task<Result<Group>> cleanable(int64_t now_ms, Offset stable);
  bool dirty_enough(const Group& segments) const;
  uint64_t offsets_to_read(const Group& segments) const;
  Task<Result<uint64_t>> clean_with(const KeyOffsets& keys, TxnHistory& txns, Group segments, uint64_t cuts);
  SegmentRewriter::Settings rewriter_settings() const;
  std::vector<Group> make_groups(Group segments) const;
  // The bytes that it removed. nullopt: the group changed meanwhile, and stays as it is.
  Task<Result<std::optional<uint64_t>>> clean_group(Group group, SegmentRewriter& rewriter, uint64_t cuts);
  Task<Result<bool>> swap_in(SegmentPtr cleaned, Group group, uint64_t cuts, bool batches_changed);
  Task<Status> note_compacted(Offset to);
  Task<Status> write_indexes(SegmentPtr cleaned);
  Task<void> remove_cleaned(Offset base);
  int64_t now_ms() const { return directory_.env().wall_now().milliseconds_since_epoch; }

  LogState& state_;
  LogDirectory& directory_;
  LogHealth& health_;
  BatchLocator& locator_;
  Flusher& flusher_;
  AsyncMutex& writer_;
  bool running_ = false;
};

}  // namespace farshore
