#include "proto/batch/builder.h"

#include <algorithm>

#include "base/crc32c.h"
#include "proto/batch/compress.h"

namespace farshore {
namespace {

constexpr int16_t kLogAppendTimeBit = 0x08;
constexpr int16_t kControlBit = 0x20;
constexpr int16_t kDeleteHorizonBit = 0x40;
constexpr int16_t kMarkerVersion = 0;

uint64_t zigzag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }

size_t varint_bytes(int64_t value) {
  size_t n = 1;
  for (uint64_t left = zigzag(value); left >= 0x80; left >>= 7) ++n;
  return n;
}

size_t sized_bytes(const std::optional<std::string_view>& bytes) {
  return bytes ? varint_bytes(static_cast<int64_t>(bytes->size())) + bytes->size() : varint_bytes(-1);
}

}  // namespace

BatchBuilder& BatchBuilder::compression(Compression codec) {
  header_.attributes = static_cast<int16_t>((header_.attributes & ~7) | static_cast<int16_t>(codec));
  return *this;
}

BatchBuilder& BatchBuilder::producer(int64_t id, int16_t epoch, int32_t base_sequence) {
  header_.producer_id = id;
  header_.producer_epoch = epoch;
  header_.base_sequence = base_sequence;
  return *this;
}

BatchBuilder& BatchBuilder::log_append_time(int64_t timestamp_ms) {
  header_.attributes |= kLogAppendTimeBit;
  header_.max_timestamp = timestamp_ms;
  max_timestamp_set_ = true;
  return *this;
}

BatchBuilder& BatchBuilder::delete_horizon(int64_t timestamp_ms) {
  ensure(header_.record_count == 0, "the delete horizon is set before the records");
  header_.attributes |= kDeleteHorizonBit;
  header_.base_timestamp = timestamp_ms;
  base_timestamp_set_ = true;
  return *this;
}

BatchBuilder& BatchBuilder::like(const BatchHeader& header) {
  ensure(header_.record_count == 0, "like() comes before the records");
  header_ = header;
  header_.record_count = 0;
  base_timestamp_set_ = true;
  max_timestamp_set_ = header.log_append_time();
  if (!max_timestamp_set_) header_.max_timestamp = -1;
  return *this;
}

void BatchBuilder::put_varint(int64_t value) {
  uint64_t left = zigzag(value);
  for (; left >= 0x80; left >>= 7) records_.push_back(static_cast<std::byte>(left | 0x80));
  records_.push_back(static_cast<std::byte>(left));
}

void BatchBuilder::put_bytes(std::optional<std::string_view> bytes) {
  put_varint(bytes ? static_cast<int64_t>(bytes->size()) : -1);
  if (!bytes) return;
  ConstBytes raw = as_bytes(*bytes);
  records_.insert(records_.end(), raw.begin(), raw.end());
}

BatchBuilder& BatchBuilder::add(int64_t timestamp_ms, std::optional<std::string_view> key,
                                std::optional<std::string_view> value, std::vector<RecordHeader> headers) {
  return add_at(header_.base_offset + last_added_delta_ + 1, timestamp_ms, key, value, headers);
}

BatchBuilder& BatchBuilder::add_at(int64_t offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                                   std::optional<std::string_view> value, const std::vector<RecordHeader>& headers) {
  int64_t delta = offset - header_.base_offset;
  ensure(delta > last_added_delta_ && delta <= INT32_MAX, "records are added in offset order");
  last_added_delta_ = static_cast<int32_t>(delta);
  header_.last_offset_delta = std::max(header_.last_offset_delta, last_added_delta_);
  if (!base_timestamp_set_) header_.base_timestamp = timestamp_ms;
  base_timestamp_set_ = true;
  if (!max_timestamp_set_) header_.max_timestamp = std::max(header_.max_timestamp, timestamp_ms);
  int64_t timestamp_delta = timestamp_ms - header_.base_timestamp;

  size_t size = 1 + varint_bytes(timestamp_delta) + varint_bytes(delta) + sized_bytes(key) + sized_bytes(value) +
                varint_bytes(static_cast<int64_t>(headers.size()));
  for (const auto& header : headers) size += sized_bytes(header.key) + sized_bytes(header.value);
  put_varint(static_cast<int64_t>(size));
  size_t begin = records_.size();
  records_.push_back(std::byte{0});  // record attributes: none defined
  put_varint(timestamp_delta);
  put_varint(delta);
  put_bytes(key);
  put_bytes(value);
  put_varint(static_cast<int64_t>(headers.size()));
  for (const auto& header : headers) {
    put_bytes(header.key);
    put_bytes(header.value);
  }
  ensure(records_.size() - begin == size, "a record has the size that it states");
  ++header_.record_count;
  return *this;
}

BatchBuilder& BatchBuilder::add_marker(ControlType type, int32_t coordinator_epoch, int64_t timestamp_ms) {
  header_.attributes |= kControlBit | 0x10;
  std::array<std::byte, 4> key;
  store_be(key.data(), kMarkerVersion);
  store_be(key.data() + 2, static_cast<int16_t>(type));
  std::array<std::byte, 6> value;
  store_be(value.data(), kMarkerVersion);
  store_be(value.data() + 2, coordinator_epoch);
  return add(timestamp_ms, as_text(key), as_text(value));
}

std::vector<std::byte> BatchBuilder::build() const {
  BatchHeader header = header_;
  std::vector<std::byte> payload = header.compression() == Compression::kNone || records_.empty()
                                       ? records_
                                       : compress(header.compression(), records_);
  ensure(payload.size() < (1U << 31) - kBatchHeaderBytes, "a batch is below 2 GiB");
  header.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead + payload.size());
  std::vector<std::byte> batch(kBatchHeaderBytes + payload.size());
  std::span<std::byte, kBatchHeaderBytes> raw(batch.data(), kBatchHeaderBytes);
  header.store(raw);
  if (!payload.empty()) std::memcpy(batch.data() + kBatchHeaderBytes, payload.data(), payload.size());
  header.crc = crc32c(ConstBytes(batch).subspan(BatchField::kAttributes));
  header.store(raw);
  return batch;
}

BatchRun BatchBuilder::build_run(SlabArena& arena) const { return run_of(arena, build()); }

BatchRun run_of(SlabArena& arena, ConstBytes batches) {
  SlabRef slab = arena.allocate(batches.size());
  std::memcpy(slab.data(), batches.data(), batches.size());
  SliceList bytes;
  bytes.append(Slice(std::move(slab), 0, batches.size()));
  ParseBatches how;
  how.ordered = false;
  return parse_batches(std::move(bytes), how).value();
}

}  // namespace farshore
