// KeyOffsets: the latest offset of each key, in the segments that one pass of the cleaner read. Kafka calls it the
// offset map. Its memory is bounded: more keys take more passes.
// Executor: the Env's.
#pragma once

#include <string>
#include <unordered_map>

#include "broker/log/internal/segment.h"
#include "proto/batch/records.h"

namespace farshore {

class KeyOffsets {
 public:
  static constexpr size_t kBytesMax = 128 << 20;

  // Reads the keys of the batches that end at or above `from`. False: they do not fit into kBytesMax, and some of the
  // segment's keys may be missing. kUnsupported: the segment has transactional or control batches. kCorrupt, kIo.
  Task<Result<bool>> add(SegmentPtr segment, Offset from);
  // A later record with the same key was read.
  bool superseded(const Record& record) const;

 private:
  Result<bool> add_batch(const BatchHeader& header, ConstBytes bytes);

  std::unordered_map<std::string, Offset> latest_;
  size_t bytes_ = 0;
};

}  // namespace farshore
