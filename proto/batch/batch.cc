#include "proto/batch/batch.h"

#include <algorithm>
#include <limits>

#include "base/crc32c.h"

namespace farshore {
namespace {

constexpr size_t kSmallestRecordBytes = 7;  // length, attributes, two deltas, two absent lengths, header count

Error corrupt(std::string_view what, int64_t value) {
  return {ErrorCode::kCorrupt, std::string(what) + " " + std::to_string(value)};
}

std::string hex(uint32_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x00000000";
  for (size_t i = 0; i < 8; ++i) text[9 - i] = kDigits[(value >> (4 * i)) & 15];
  return text;
}

// Walks a SliceList forward, so that reading every header of a long list costs one pass over the slices.
class SliceCursor {
 public:
  explicit SliceCursor(const SliceList& list) : list_(list) {}
  // Copies out [position, position + into.size()), which exists; positions never go back.
  void copy_out(size_t position, MutableBytes into) {
    while (position - slice_begin_ >= list_.slices()[index_].size()) slice_begin_ += list_.slices()[index_++].size();
    size_t index = index_;
    size_t from = position - slice_begin_;
    while (!into.empty()) {
      ConstBytes bytes = list_.slices()[index++].bytes().subspan(from);
      size_t n = std::min(bytes.size(), into.size());
      std::memcpy(into.data(), bytes.data(), n);
      into = into.subspan(n);
      from = 0;
    }
  }
  // CRC-32C of [begin, end), which exists; `begin` never goes back.
  uint32_t crc(size_t begin, size_t end) {
    while (begin - slice_begin_ >= list_.slices()[index_].size()) slice_begin_ += list_.slices()[index_++].size();
    uint32_t crc = 0;
    size_t index = index_;
    size_t from = begin - slice_begin_;
    for (size_t left = end - begin; left > 0;) {
      ConstBytes bytes = list_.slices()[index++].bytes().subspan(from);
      size_t n = std::min(bytes.size(), left);
      crc = crc32c(bytes.first(n), crc);
      left -= n;
      from = 0;
    }
    return crc;
  }

 private:
  const SliceList& list_;
  size_t index_ = 0, slice_begin_ = 0;
};

Status check_crc(const BatchHeader& header, SliceCursor& cursor, size_t batch_begin) {
  uint32_t found = cursor.crc(batch_begin + BatchField::kAttributes, batch_begin + header.size_bytes());
  if (found == header.crc) return ok();
  return Error(ErrorCode::kCorrupt, "batch at offset " + std::to_string(header.base_offset) + ": CRC-32C is " +
                                        hex(found) + ", its header says " + hex(header.crc));
}

}  // namespace

Result<BatchHeader> BatchHeader::parse(ConstBytes bytes) {
  if (bytes.size() < kBatchHeaderBytes) return Error(ErrorCode::kTruncated, "fewer bytes than a batch header");
  const std::byte* at = bytes.data();
  BatchHeader h;
  h.magic = load_be<int8_t>(at + BatchField::kMagic);
  if (h.magic != 2) return corrupt("record batch: magic must be 2, is", h.magic);
  h.base_offset = load_be<int64_t>(at + BatchField::kBaseOffset);
  h.batch_length = load_be<int32_t>(at + BatchField::kBatchLength);
  h.partition_leader_epoch = load_be<int32_t>(at + BatchField::kPartitionLeaderEpoch);
  h.crc = load_be<uint32_t>(at + BatchField::kCrc);
  h.attributes = load_be<int16_t>(at + BatchField::kAttributes);
  h.last_offset_delta = load_be<int32_t>(at + BatchField::kLastOffsetDelta);
  h.base_timestamp = load_be<int64_t>(at + BatchField::kBaseTimestamp);
  h.max_timestamp = load_be<int64_t>(at + BatchField::kMaxTimestamp);
  h.producer_id = load_be<int64_t>(at + BatchField::kProducerId);
  h.producer_epoch = load_be<int16_t>(at + BatchField::kProducerEpoch);
  h.base_sequence = load_be<int32_t>(at + BatchField::kBaseSequence);
  h.record_count = load_be<int32_t>(at + BatchField::kRecordCount);

  constexpr auto kOverhead = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead);
  if (h.batch_length < kOverhead) return corrupt("record batch: batch_length is below its header:", h.batch_length);
  if (h.base_offset < 0) return corrupt("record batch: negative base_offset", h.base_offset);
  if (h.last_offset_delta < 0) return corrupt("record batch: negative last_offset_delta", h.last_offset_delta);
  if (h.base_offset > std::numeric_limits<int64_t>::max() - h.last_offset_delta - 1)
    return corrupt("record batch: offsets end beyond 2^63, base_offset", h.base_offset);
  if (h.record_count < 0) return corrupt("record batch: negative record_count", h.record_count);
  if (h.record_count > int64_t{h.last_offset_delta} + 1)
    return corrupt("record batch: more records than offsets:", h.record_count);
  if ((h.attributes & 7) > static_cast<int16_t>(Compression::kZstd))
    return corrupt("record batch: unknown compression", h.attributes & 7);
  if (h.compression() == Compression::kNone &&
      static_cast<size_t>(h.record_count) * kSmallestRecordBytes > h.size_bytes() - kBatchHeaderBytes)
    return corrupt("record batch: record_count cannot fit its bytes:", h.record_count);
  return h;
}

void BatchHeader::store(std::span<std::byte, kBatchHeaderBytes> into) const {
  std::byte* at = into.data();
  store_be(at + BatchField::kBaseOffset, base_offset);
  store_be(at + BatchField::kBatchLength, batch_length);
  store_be(at + BatchField::kPartitionLeaderEpoch, partition_leader_epoch);
  store_be(at + BatchField::kMagic, magic);
  store_be(at + BatchField::kCrc, crc);
  store_be(at + BatchField::kAttributes, attributes);
  store_be(at + BatchField::kLastOffsetDelta, last_offset_delta);
  store_be(at + BatchField::kBaseTimestamp, base_timestamp);
  store_be(at + BatchField::kMaxTimestamp, max_timestamp);
  store_be(at + BatchField::kProducerId, producer_id);
  store_be(at + BatchField::kProducerEpoch, producer_epoch);
  store_be(at + BatchField::kBaseSequence, base_sequence);
  store_be(at + BatchField::kRecordCount, record_count);
}

int32_t BatchHeader::last_sequence() const {
  if (base_sequence < 0) return -1;
  return static_cast<int32_t>((int64_t{base_sequence} + last_offset_delta) & std::numeric_limits<int32_t>::max());
}

void BatchRun::append(BatchRun other) {
  batches.insert(batches.end(), other.batches.begin(), other.batches.end());
  bytes.append(other.bytes);
  budget.merge(std::move(other.budget));
}

BatchRun BatchRun::take_front(size_t count) {
  ensure(count <= batches.size(), "take_front of more batches than there are");
  BatchRun front;
  size_t front_bytes = 0;
  for (size_t i = 0; i < count; ++i) front_bytes += batches[i].size_bytes();
  front.batches.assign(batches.begin(), batches.begin() + static_cast<std::ptrdiff_t>(count));
  front.bytes = bytes.sub(0, front_bytes);
  front.budget = budget.split(std::min(front_bytes, budget.bytes()));
  batches.erase(batches.begin(), batches.begin() + static_cast<std::ptrdiff_t>(count));
  bytes = bytes.sub(front_bytes, bytes.size() - front_bytes);
  return front;
}

Status verify_crc(const BatchRun& run) {
  SliceCursor cursor(run.bytes);
  size_t begin = 0;
  for (const auto& header : run.batches) {
    ensure(header.size_bytes() <= run.bytes.size() - begin, "a run holds the bytes of its batches");
    FARSHORE_CHECK(check_crc(header, cursor, begin));
    begin += header.size_bytes();
  }
  return ok();
}

Status verify_crc(const BatchHeader& header, const SliceList& bytes, size_t batch_begin) {
  ensure(batch_begin <= bytes.size() && header.size_bytes() <= bytes.size() - batch_begin, "the batch is in the bytes");
  SliceCursor cursor(bytes);
  return check_crc(header, cursor, batch_begin);
}

Result<BatchRun> parse_batches(SliceList bytes, ParseBatches how) {
  BatchRun run;
  SliceCursor cursor(bytes);
  size_t begin = 0;
  int64_t next_offset = 0;
  while (begin < bytes.size()) {
    size_t left = bytes.size() - begin;
    if (left < kBatchHeaderBytes) break;
    std::array<std::byte, kBatchHeaderBytes> raw;
    cursor.copy_out(begin, raw);
    auto header = BatchHeader::parse(raw);
    if (!header) return std::move(header).error().in("byte " + std::to_string(begin));
    if (header->size_bytes() > how.batch_bytes_max)
      return Error(ErrorCode::kResourceExhausted, "a batch of " + std::to_string(header->size_bytes()) +
                                                      " bytes; at most " + std::to_string(how.batch_bytes_max));
    if (how.ordered && header->base_offset < next_offset)
      return Error(ErrorCode::kCorrupt, "batch at byte " + std::to_string(begin) + " has base_offset " +
                                            std::to_string(header->base_offset) + ", the one before ends at " +
                                            std::to_string(next_offset - 1));
    if (header->size_bytes() > left) break;
    next_offset = header->next().value();
    begin += header->size_bytes();
    run.batches.push_back(*header);
  }
  if (begin < bytes.size()) {
    if (!how.allow_partial)
      return Error(ErrorCode::kTruncated,
                   "the last batch is cut off after " + std::to_string(bytes.size() - begin) + " bytes");
    bytes = bytes.sub(0, begin);
  }
  run.bytes = std::move(bytes);
  return run;
}

void stamp(BatchRun& run, size_t index, size_t batch_begin, Offset base_offset, LogEpoch epoch) {
  BatchHeader& header = run.batches[index];
  header.base_offset = base_offset.value();
  header.partition_leader_epoch = epoch.value();
  std::array<std::byte, 8> raw;
  store_be(raw.data(), header.base_offset);
  run.bytes.patch(batch_begin + BatchField::kBaseOffset, raw);
  store_be(raw.data(), header.partition_leader_epoch);
  run.bytes.patch(batch_begin + BatchField::kPartitionLeaderEpoch, ConstBytes(raw).first(4));
}

}  // namespace farshore
