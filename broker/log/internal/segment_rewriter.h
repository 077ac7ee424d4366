// SegmentRewriter: copies segments into one cleaned segment, without the records that compaction removes: those with a
// later record of the same key, old tombstones, and those of aborted transactions. A transaction's marker stays while a
// batch of the transaction is there, and for delete.retention.ms after that (KIP-534). Offsets and timestamps stay as
// they are.
// Executor: the Env's. One for each pass; the pass begins at the first segment and goes on in order.
#pragma once

#include <unordered_set>
#include <vector>

#include "broker/log/internal/key_offsets.h"
#include "broker/log/internal/producer_state.h"

namespace farshore {

class SegmentRewriter {
 public:
  struct Settings {
    int64_t now_ms = 0;
    int64_t delete_horizon_ms = 0;  // tombstones and markers that are met for the first time may go then (KIP-534)
    uint64_t index_interval_bytes = 0;
    // Last offsets of the newest batches of each producer. Their headers stay even if all their records go, so that
    // the producer's next sequence is still known.
    std::unordered_set<Offset> last_of_producers;
  };
  // `keys` and `txns` outlive the rewriter.
  SegmentRewriter(Env& env, const KeyOffsets& keys, TxnHistory& txns, Settings settings)
      : env_(env), keys_(keys), txns_(txns), settings_(std::move(settings)) {}

  // Writes what stays of `group` to the empty segment `cleaned` (page cache), and counts it there. Returns whether
  // anything differs from the group. The size does not tell: a batch may lose a record and get a delete horizon.
  Task<Result<bool>> rewrite(std::vector<SegmentPtr> group, SegmentPtr cleaned);

 private:
  using Bytes = std::vector<std::byte>;
  // These return the batch as it stays; empty: nothing of it stays.
  Task<Result<Bytes>> rewrite_batch(BatchHeader header, Bytes bytes, TurnBudget& turn);
  Task<Result<Bytes>> rewrite_records(BatchHeader header, Bytes bytes, TurnBudget& turn);
  Result<Bytes> rewrite_aborted(const BatchHeader& header) const;
  Result<Bytes> rewrite_marker(const BatchHeader& header, Bytes bytes) const;
  // Counts the batch in the cleaned segment.
  Status note(const BatchHeader& header, ConstBytes bytes, Segment& cleaned);
  bool is_last_of_producer(const BatchHeader& header) const;
  bool horizon_passed(const BatchHeader& header) const;

  Env& env_;
  const KeyOffsets& keys_;
  TxnHistory& txns_;
  Settings settings_;
  ProducerState kept_;  // of the batches that stay
};

}  // namespace farshore
