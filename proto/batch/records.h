// The records inside one batch. Slow path only: tests, the cleaner, transaction markers, lookups by time. Decompresses
// under limits; hostile bytes give kCorrupt or kResourceExhausted, never more memory than the limits say.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "proto/batch/batch.h"
#include "proto/batch/builder.h"
#include "proto/batch/compress.h"

namespace farshore {

// Views into the reader's memory: valid until its next call of next().
struct Record {
  Offset offset;
  int64_t timestamp_ms = -1;  // the batch's for LogAppendTime
  std::optional<std::string_view> key, value;
  std::vector<RecordHeader> headers;
  size_t size_bytes = 0;  // in the (decompressed) batch, its length field included
};

class RecordReader {
 public:
  // Of the batch with `header` that begins at `batch_begin` of `bytes`. The CRC is the caller's business.
  static Result<RecordReader> open(const BatchHeader& header, const SliceList& bytes, size_t batch_begin,
                                   const DecompressLimits& limits = {});
  // The same, of one batch in one piece.
  static Result<RecordReader> open(const BatchHeader& header, ConstBytes batch, const DecompressLimits& limits = {});
  // False after the last one. Also checks that offsets ascend inside the batch and that count and bytes agree.
  Result<bool> next(Record& record);

 private:
  RecordReader(const BatchHeader& header, std::vector<std::byte> records)
      : header_(header), records_(std::move(records)) {}

  BatchHeader header_;
  std::vector<std::byte> records_;
  size_t position_ = 0;
  int32_t seen_ = 0;
  int64_t last_delta_ = -1;
};

// What a control batch says. kCorrupt if it is none; kUnsupported for a control type that ends no transaction.
struct ControlMarker {
  ControlType type = ControlType::kAbort;
  int32_t coordinator_epoch = 0;
};
Result<ControlMarker> read_marker(const BatchHeader& header, const SliceList& bytes, size_t batch_begin);
Result<ControlMarker> read_marker(const BatchHeader& header, ConstBytes batch);

}  // namespace farshore
