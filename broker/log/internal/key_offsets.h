// KeyOffsets: the latest offset of each key in the part of the log that one pass of the cleaner read. Kafka calls it
// the offset map. It is a table of hashes of one fixed size, so that its memory is bounded. If the keys do not fit, it
// covers the log up to end() only: the pass cleans with what it has, and the next pass goes on from there.
// Executor: the Env's.
#pragma once

#include <cstdlib>
#include <memory>

#include "broker/log/internal/key_hash.h"
#include "broker/log/internal/txn_history.h"

namespace farshore {

class KeyOffsets {
 public:
  // Covers the log from `from` on. `keys_max`: more keys than that do not occur.
  KeyOffsets(Env& env, TxnHistory& txns, Offset from, size_t bytes_max, uint64_t keys_max);

  // Reads the segment, which follows the one read before. False: the table is full, end() is where it ends.
  // kCorrupt, kIo.
  Task<Result<bool>> add(SegmentPtr segment);
  // The keys of every record below it were read.
  Offset end() const { return end_; }
  // A later record with the same key was read.
  bool superseded(const Record& record) const;

 private:
  struct Entry {
    KeyHash::Value hash;
    int64_t offset_and_1;  // 0: the entry is free
  };
  struct Free {
    void operator()(Entry* entries) const { std::free(entries); }
  };
  Task<Result<bool>> add_batch(BatchHeader header, BatchScanner& scanner);
  bool put(std::string_view key, Offset offset);  // false: full
  Entry* find(const KeyHash::Value& hash) const;  // the entry of the hash, or the free one where it belongs

  Env& env_;
  TxnHistory& txns_;
  const KeyHash hash_;
  const Offset from_;
  Offset end_;
  size_t capacity_, count_ = 0;
  std::unique_ptr<Entry[], Free> entries_;  // zeroed by the kernel, page by page
};

}  // namespace farshore
