// BatchScanner: reads the batches of a segment file one after the other: their headers only, or every byte with its
// CRC. Changes nothing. It gives way to other work now and then (TurnBudget). Executor: the Env's.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/file.h"
#include "base/turn_budget.h"
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
  // Reads the bytes [position, end) of the file. A batch begins at `position`.
  BatchScanner(Reactor& reactor, std::shared_ptr<File> file, uint64_t position, uint64_t end, Check check);

  // nullopt: the end. kCorrupt: at position() there is no batch, or only a part of one. kIo.
  Task<Result<std::optional<ScannedBatch>>> next();
  // All bytes of the batch that next() returned last.
  Task<Result<std::vector<std::byte>>> load();
  uint64_t position() const { return position_; }  // where the next batch begins
  // The next batch begins there: not below where this scanner began. What is in the buffer stays.
  void go_to(uint64_t position) { position_ = position; }
  TurnBudget& turn() { return turn_; }  // for the loop over the records of the batch

 private:
  // Makes [from, from + size) available in the buffer; size is at most the buffer's.
  Task<Result<ConstBytes>> fill(uint64_t from, size_t size);
  Task<Result<uint32_t>> crc_of(uint64_t from, uint64_t end);

  TurnBudget turn_;
  std::shared_ptr<File> file_;
  uint64_t position_, end_;
  Check check_;
  ScannedBatch last_;
  std::vector<std::byte> buffer_;
  uint64_t buffer_at_ = 0;
  size_t buffered_ = 0;
};

}  // namespace farshore
