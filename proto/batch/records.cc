#include "proto/batch/records.h"

#include <algorithm>

namespace farshore {
namespace {

constexpr size_t kHeadersPerRecordMax = 1
                                        << 20;  // each takes 2 bytes or more, so memory is bounded by the bytes anyway

// Bounded reads of one record; a failed read makes all later ones fail.
class Parser {
 public:
  explicit Parser(ConstBytes bytes) : bytes_(bytes) {}
  bool failed() const { return failed_; }
  size_t left() const { return bytes_.size(); }
  int64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      auto byte = static_cast<uint64_t>(bytes_[0]);
      bytes_ = bytes_.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
    }
    return fail();
  }
  void skip(size_t n) {
    if (n > bytes_.size())
      fail();
    else
      bytes_ = bytes_.subspan(n);
  }
  std::optional<std::string_view> sized(bool may_be_absent) {
    int64_t size = varint();
    if (failed_ || (size == -1 && may_be_absent)) return std::nullopt;
    if (size < 0 || static_cast<uint64_t>(size) > bytes_.size()) {
      fail();
      return std::nullopt;
    }
    std::string_view text = as_text(bytes_.first(static_cast<size_t>(size)));
    bytes_ = bytes_.subspan(static_cast<size_t>(size));
    return text;
  }

 private:
  int64_t fail() {
    failed_ = true;
    bytes_ = {};
    return 0;
  }
  ConstBytes bytes_;
  bool failed_ = false;
};

Error bad_record(const BatchHeader& header, int32_t index, std::string_view what) {
  return {ErrorCode::kCorrupt, "record " + std::to_string(index) + " of the batch at offset " +
                                   std::to_string(header.base_offset) + ": " + std::string(what)};
}

}  // namespace

Result<RecordReader> RecordReader::open(const BatchHeader& header, const SliceList& bytes, size_t batch_begin,
                                        const DecompressLimits& limits) {
  ensure(batch_begin <= bytes.size() && header.size_bytes() <= bytes.size() - batch_begin, "the batch is in the bytes");
  std::vector<std::byte> batch(header.size_bytes());
  bytes.copy_out(batch_begin, batch);
  return open(header, ConstBytes(batch), limits);
}

Result<RecordReader> RecordReader::open(const BatchHeader& header, ConstBytes batch, const DecompressLimits& limits) {
  ensure(batch.size() == header.size_bytes(), "exactly one batch");
  ConstBytes payload = batch.subspan(kBatchHeaderBytes);
  if (header.compression() == Compression::kNone || header.record_count == 0)
    return RecordReader(header, std::vector<std::byte>(payload.begin(), payload.end()));
  auto records = decompress(header.compression(), payload, limits);
  if (!records) return std::move(records).error().in("batch at offset " + std::to_string(header.base_offset));
  return RecordReader(header, std::move(records).value());
}

Result<bool> RecordReader::next(Record& record) {
  if (seen_ == header_.record_count) {
    if (position_ != records_.size() && header_.record_count > 0)
      return bad_record(header_, seen_, "bytes after the last record");
    return false;
  }
  Parser outer(ConstBytes(records_).subspan(position_));
  size_t before = outer.left();
  int64_t size = outer.varint();
  if (outer.failed() || size < 0 || static_cast<uint64_t>(size) > outer.left())
    return bad_record(header_, seen_, "its length ends beyond the batch");
  size_t length_bytes = before - outer.left();
  Parser body(ConstBytes(records_).subspan(position_ + length_bytes, static_cast<size_t>(size)));
  body.skip(1);  // attributes
  int64_t timestamp_delta = body.varint();
  int64_t offset_delta = body.varint();
  record.key = body.sized(true);
  record.value = body.sized(true);
  int64_t header_count = body.varint();
  if (!body.failed() && (header_count < 0 || static_cast<uint64_t>(header_count) > kHeadersPerRecordMax))
    return bad_record(header_, seen_, "an impossible number of headers");
  record.headers.clear();
  for (int64_t i = 0; i < header_count && !body.failed(); ++i) {
    RecordHeader h;
    h.key = body.sized(false).value_or(std::string_view());
    h.value = body.sized(true);
    record.headers.push_back(h);
  }
  if (body.failed()) return bad_record(header_, seen_, "a field ends beyond the record");
  if (body.left() != 0) return bad_record(header_, seen_, "bytes after its last field");
  if (offset_delta <= last_delta_ || offset_delta > header_.last_offset_delta)
    return bad_record(header_, seen_, "its offset is out of order");
  last_delta_ = offset_delta;
  record.offset = Offset(header_.base_offset + offset_delta);
  record.timestamp_ms = header_.log_append_time() ? header_.max_timestamp
                                                  : static_cast<int64_t>(static_cast<uint64_t>(header_.base_timestamp) +
                                                                         static_cast<uint64_t>(timestamp_delta));
  record.size_bytes = length_bytes + static_cast<size_t>(size);
  position_ += record.size_bytes;
  ++seen_;
  return true;
}

Result<ControlMarker> read_marker(const BatchHeader& header, const SliceList& bytes, size_t batch_begin) {
  ensure(batch_begin <= bytes.size() && header.size_bytes() <= bytes.size() - batch_begin, "the batch is in the bytes");
  std::vector<std::byte> batch(header.size_bytes());
  bytes.copy_out(batch_begin, batch);
  return read_marker(header, ConstBytes(batch));
}

Result<ControlMarker> read_marker(const BatchHeader& header, ConstBytes batch) {
  if (!header.control()) return bad_record(header, 0, "not a control batch");
  // Compaction of Apache Kafka leaves such batches: the whole transaction was removed, only the producer is told.
  if (header.record_count == 0) return Error(ErrorCode::kUnsupported, "an empty control batch ends no transaction");
  FARSHORE_TRY(auto reader, RecordReader::open(header, batch));
  Record record;
  FARSHORE_TRY(bool found, reader.next(record));
  if (!found || !record.key || record.key->size() < 4) return bad_record(header, 0, "a control batch without a type");
  auto type = load_be<int16_t>(as_bytes(*record.key).data() + 2);
  if (type != 0 && type != 1)
    return Error(ErrorCode::kUnsupported, "control record type " + std::to_string(type) + " ends no transaction");
  if (!record.value || record.value->size() < 6) return bad_record(header, 0, "a marker without coordinator epoch");
  return ControlMarker{static_cast<ControlType>(type), load_be<int32_t>(as_bytes(*record.value).data() + 2)};
}

}  // namespace farshore
