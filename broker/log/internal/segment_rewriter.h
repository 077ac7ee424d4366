// SegmentRewriter: copies segments into one cleaned segment, without the records that compaction removes. Offsets and
// timestamps stay as they are.
// Executor: the Env's.
#pragma once

#include <map>
#include <vector>

#include "broker/log/internal/key_offsets.h"

namespace farshore {

class SegmentRewriter {
 public:
  struct Settings {
    int64_t now_ms = 0;
    int64_t delete_horizon_ms = 0;  // tombstones that are met for the first time may go then (KIP-534)
    uint64_t index_interval_bytes = 0;
    // Producer id -> last offset of its newest batch. The header of that batch stays even if all its records go, so
    // that the producer's next sequence is still known.
    std::map<int64_t, Offset> last_of_producer;
  };
  // `keys` outlives the rewriter.
  SegmentRewriter(const KeyOffsets& keys, Settings settings) : keys_(keys), settings_(std::move(settings)) {}

  // Writes what stays of `group` to the empty segment `cleaned` (page cache), and counts it there.
  Task<Status> rewrite(std::vector<SegmentPtr> group, SegmentPtr cleaned) const;

 private:
  // The batch as it stays; empty: nothing of it stays.
  Result<std::vector<std::byte>> rewrite_batch(const BatchHeader& header, std::vector<std::byte> bytes) const;
  bool is_last_of_producer(const BatchHeader& header) const;

  const KeyOffsets& keys_;
  Settings settings_;
};

}  // namespace farshore
