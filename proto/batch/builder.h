// BatchBuilder: builds one record batch. For tests, coordinators, transaction markers and the cleaner.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/batch/batch.h"

namespace farshore {

struct RecordHeader {
  std::string_view key;
  std::optional<std::string_view> value;
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

enum class ControlType : int16_t { kAbort = 0, kCommit = 1 };

// Set the fields, add the records in offset order, then call build().
class BatchBuilder {
 public:
  BatchBuilder& base_offset(int64_t offset) { return header_.base_offset = offset, *this; }
  BatchBuilder& leader_epoch(int32_t epoch) { return header_.partition_leader_epoch = epoch, *this; }
  BatchBuilder& compression(Compression codec);
  BatchBuilder& producer(int64_t id, int16_t epoch, int32_t base_sequence);
  BatchBuilder& transactional() { return header_.attributes |= 0x10, *this; }
  BatchBuilder& log_append_time(int64_t timestamp_ms);
  // KIP-534: the cleaner may drop tombstones of this batch after `timestamp_ms` (Unix milliseconds).
  BatchBuilder& delete_horizon(int64_t timestamp_ms);
  // Takes all fields but records, sizes and CRC from `header`. For the cleaner: offsets stay, and gaps appear.
  BatchBuilder& like(const BatchHeader& header);

  // Adds a record at the next offset. Timestamps are Unix milliseconds.
  BatchBuilder& add(int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value,
                    std::vector<RecordHeader> headers = {});
  // Adds a record at `offset`, which must be above those added before.
  BatchBuilder& add_at(int64_t offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                       std::optional<std::string_view> value, const std::vector<RecordHeader>& headers = {});
  // Makes it a control batch with the marker that ends a transaction.
  BatchBuilder& add_marker(ControlType type, int32_t coordinator_epoch, int64_t timestamp_ms);

  int32_t record_count() const { return header_.record_count; }
  size_t records_bytes() const { return records_.size(); }  // before compression
  std::vector<std::byte> build() const;
  BatchRun build_run(SlabArena& arena) const;

 private:
  void put_varint(int64_t value);
  void put_bytes(std::optional<std::string_view> bytes);

  BatchHeader header_;
  std::vector<std::byte> records_;
  int32_t last_added_delta_ = -1;
  bool base_timestamp_set_ = false, max_timestamp_set_ = false;
};

// Copies whole, valid batches (of a builder) into slabs.
BatchRun run_of(SlabArena& arena, ConstBytes batches);

}  // namespace farshore
