// A scan of a segment: reads its batches from the first byte on, and counts sizes and all three indexes again.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "broker/log/internal/batch_scanner.h"
#include "broker/log/internal/producer_state.h"
#include "broker/log/internal/segment.h"

namespace farshore {

struct SegmentScan {
  SegmentScan() {}                                  // not an aggregate: Result could not tell one from an Error
  std::optional<Error> bad;                         // why the scan stopped before the end; nullopt: every byte is good
  std::vector<std::pair<LogEpoch, Offset>> epochs;  // the first offset of each epoch in the segment
};

// Decides whether a batch may follow the batches before it. The bytes of the batch itself are already checked.
class BatchOrder {
 public:
  virtual ~BatchOrder() = default;
  // `behind`: the next good batch of the segment; null if there is none, or if nobody wants to know. An error counts as
  // a bad byte.
  virtual Status check(const BatchHeader& header, const BatchHeader* behind) = 0;
  // Whether check() of this batch needs to know the batch behind it.
  virtual bool wants_behind(const BatchHeader& header) const = 0;
};

// Scans the first `bytes` bytes. `producers` is the state at the segment's base offset; the scan applies every batch to
// it, and makes the transaction index. Without `producers` the segment's transaction index stays unloaded.
// The scan stops at the first bad byte; the segment's size and next then cover the good batches before it.
// kIo: the file cannot be read.
Task<Result<SegmentScan>> scan_segment(Reactor& reactor, SegmentPtr segment, uint64_t bytes, BatchScanner::Check check,
                                       uint64_t index_interval_bytes, ProducerState* producers,
                                       BatchOrder* order = nullptr);

}  // namespace farshore
