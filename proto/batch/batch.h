// Kafka's record batch (magic 2): header, checksum and runs of whole batches. The records inside stay opaque.
// Source: Kafka's message format v2 (KIP-98). Big-endian. CRC-32C covers [attributes, end), so base_offset and
// partition_leader_epoch can be set without touching it.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>

#include "base/budget.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/slab.h"

namespace farshore {

// The position of each header field, in bytes.
struct BatchField {
  static constexpr size_t kBaseOffset = 0;             // int64
  static constexpr size_t kBatchLength = 8;            // int32: bytes after this field
  static constexpr size_t kPartitionLeaderEpoch = 12;  // int32
  static constexpr size_t kMagic = 16;                 // int8
  static constexpr size_t kCrc = 17;                   // uint32
  static constexpr size_t kAttributes = 21;            // int16; the CRC covers from here
  static constexpr size_t kLastOffsetDelta = 23;       // int32
  static constexpr size_t kBaseTimestamp = 27;         // int64
  static constexpr size_t kMaxTimestamp = 35;          // int64
  static constexpr size_t kProducerId = 43;            // int64
  static constexpr size_t kProducerEpoch = 51;         // int16
  static constexpr size_t kBaseSequence = 53;          // int32
  static constexpr size_t kRecordCount = 57;           // int32
  static constexpr size_t kEnd = 61;
};
inline constexpr size_t kBatchHeaderBytes = BatchField::kEnd;
static_assert(kBatchHeaderBytes == 8 + 4 + 4 + 1 + 4 + 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4);
inline constexpr size_t kBatchLengthOverhead = BatchField::kPartitionLeaderEpoch;  // base_offset and batch_length

enum class Compression : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// The header in host byte order. A copy, so it outlives the bytes of the batch.
struct BatchHeader {
  int64_t base_offset = 0;
  int32_t batch_length = 0;
  int32_t partition_leader_epoch = -1;
  int8_t magic = 2;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp = -1;
  int64_t max_timestamp = -1;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  // Checks sizes, magic, and that counts and offsets are possible; not the CRC. kTruncated: fewer than 61 bytes.
  // kCorrupt: no v2 batch can have this header; the detail names the field.
  static Result<BatchHeader> parse(ConstBytes bytes);
  void store(std::span<std::byte, kBatchHeaderBytes> into) const;

  size_t size_bytes() const { return kBatchLengthOverhead + static_cast<size_t>(batch_length); }
  Offset first() const { return Offset(base_offset); }
  Offset last() const { return Offset(base_offset + last_offset_delta); }
  Offset next() const { return Offset(base_offset + last_offset_delta + 1); }
  LogEpoch epoch() const { return LogEpoch(partition_leader_epoch); }
  int32_t last_sequence() const;  // wraps at 2^31 as Kafka's do; -1 without sequence
  Compression compression() const { return static_cast<Compression>(attributes & 7); }
  bool log_append_time() const { return attributes & 0x08; }
  bool transactional() const { return attributes & 0x10; }
  bool control() const { return attributes & 0x20; }
  bool has_delete_horizon() const { return attributes & 0x40; }
  bool has_producer() const { return producer_id >= 0; }
  // True if every offset of the batch holds a record; false after compaction.
  bool contiguous() const { return record_count == last_offset_delta + 1; }
};

// Whole batches of one partition in offset order: their headers (copies), and their bytes, headers included, as slices.
struct BatchRun {
  boost::container::small_vector<BatchHeader, 4> batches;
  SliceList bytes;       // the batches one after the other, exactly
  Budget::Token budget;  // the part of a budget that these bytes occupy

  bool empty() const { return batches.empty(); }
  Offset first() const { return batches.front().first(); }
  Offset next() const { return batches.back().next(); }
  void append(BatchRun other);
  // Moves the first `count` batches into the returned run; the budget is split by bytes.
  BatchRun take_front(size_t count);
};

// Computes the CRC-32C over [attributes, end) and compares it with the header's. kCorrupt names the offset and both
// CRCs.
Status verify_crc(const BatchRun& run);
Status verify_crc(const BatchHeader& header, const SliceList& bytes, size_t batch_begin);

// Parses the consecutive whole batches in `bytes`: checks sizes, magic, and the order of offsets if `ordered`. A
// partial batch at the end is left out if `allow_partial` (as in a Fetch response); otherwise it is kTruncated.
struct ParseBatches {
  bool allow_partial = false;
  bool ordered = true;  // base offsets must ascend, as in a log; in a Produce request each is 0
  size_t batch_bytes_max = 100 << 20;
};
Result<BatchRun> parse_batches(SliceList bytes, ParseBatches how);

// Sets base_offset and partition_leader_epoch of batch `index` in place, in the bytes and in the header copy. The CRC
// does not cover them. The caller must own the bytes.
void stamp(BatchRun& run, size_t index, size_t batch_begin, Offset base_offset, LogEpoch epoch);

}  // namespace farshore
