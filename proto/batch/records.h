// RecordReader: reads the records inside one batch. Slow path only: tests, the cleaner, transaction markers, lookups by
// time. Decompresses within limits: hostile bytes cause kCorrupt or kResourceExhausted, and take no more memory.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "proto/batch/batch.h"
#include "proto/batch/builder.h"
#include "proto/batch/compress.h"

namespace farshore {

// Views into the reader's memory. They are valid until the next call of next().
struct Record {
  Offset offset;
  int64_t timestamp_ms = -1;  // Unix milliseconds; of the whole batch with LogAppendTime
  std::optional<std::string_view> key, value;
  std::vector<RecordHeader> headers;
  size_t size_bytes = 0;  // in the decompressed batch, with its length field
};

class RecordReader {
 public:
  // Opens the batch that has `header` and begins at `batch_begin` of `bytes`. Does not check the CRC.
  static Result<RecordReader> open(const BatchHeader& header, const SliceList& bytes, size_t batch_begin,
                                   const DecompressLimits& limits = {});
  // The same for a batch in one piece.
  static Result<RecordReader> open(const BatchHeader& header, ConstBytes batch, const DecompressLimits& limits = {});
  // Returns false after the last record. kCorrupt: offsets that do not ascend, or a record_count that does not fit.
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

// The content of a control batch. read_marker: kCorrupt if it is no control batch; kUnsupported for a control type that
// does not end a transaction.
struct ControlMarker {
  ControlType type = ControlType::kAbort;
  int32_t coordinator_epoch = 0;
};
Result<ControlMarker> read_marker(const BatchHeader& header, const SliceList& bytes, size_t batch_begin);
Result<ControlMarker> read_marker(const BatchHeader& header, ConstBytes batch);

}  // namespace farshore
