// Reads the batches of a segment file one after the other: headers only (walks from an index entry), or every byte with
// its CRC (recovery). Never changes anything.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/file.h"
#include "proto/batch/records.h"

namespace farshore {

struct ScannedBatch {
  BatchHeader header;
  uint64_t position = 0;
  uint64_t end() const { return position + header.size_bytes(); }
};

class BatchScanner {
 public:
  enum class Check { kHeaders, kCrc };
  // Reads [position, end) of the file; `end` is normally its size.
  BatchScanner(std::shared_ptr<File> file, uint64_t position, uint64_t end, Check check);

  // nullopt at the end. kCorrupt: the bytes at position() are no batch, or a cut one. kIo: cannot be read.
  Task<Result<std::optional<ScannedBatch>>> next();
  // All bytes of the batch that next() returned last, e.g. to read its records.
  Task<Result<std::vector<std::byte>>> load();
  uint64_t position() const { return position_; }  // where the next batch begins

 private:
  // Makes [from, from + size) available in the buffer; size is at most the buffer's.
  Task<Result<ConstBytes>> fill(uint64_t from, size_t size);
  Task<Result<uint32_t>> crc_of(uint64_t from, uint64_t end);

  std::shared_ptr<File> file_;
  uint64_t position_, end_;
  Check check_;
  ScannedBatch last_;
  std::vector<std::byte> buffer_;
  uint64_t buffer_at_ = 0;
  size_t buffered_ = 0;
};

}  // namespace farshore
