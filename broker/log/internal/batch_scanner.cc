#include "broker/log/internal/batch_scanner.h"

#include <algorithm>

#include "base/crc32c.h"

namespace farshore {
namespace {

constexpr size_t kWalkBytes = 8 << 10;    // an index interval and a little
constexpr size_t kScanBytes = 256 << 10;  // stays in L2 between reading and checking

Error cut_off(const std::string& path, uint64_t position) {
  return {ErrorCode::kCorrupt, path + ": the batch at byte " + std::to_string(position) + " is cut off"};
}

}  // namespace

BatchScanner::BatchScanner(Reactor& reactor, std::shared_ptr<File> file, uint64_t position, uint64_t end, Check check)
    : turn_(reactor),
      file_(std::move(file)),
      position_(position),
      end_(end),
      check_(check),
      buffer_(std::min<uint64_t>(check == Check::kCrc ? kScanBytes : kWalkBytes,
                                 std::max<uint64_t>(end - std::min(position, end), kBatchHeaderBytes))) {}

Task<Result<ConstBytes>> BatchScanner::fill(uint64_t from, size_t size) {
  if (from < buffer_at_ || from + size > buffer_at_ + buffered_) {
    size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer_.size(), end_ - from));
    buffered_ = 0;
    buffer_at_ = from;
    CO_TRY(buffered_, co_await file_->read_at(from, MutableBytes(buffer_).first(wanted)));
    if (buffered_ < size) co_return cut_off(file_->path(), from);
  }
  co_return ConstBytes(buffer_).subspan(static_cast<size_t>(from - buffer_at_), size);
}

Task<Result<uint32_t>> BatchScanner::crc_of(uint64_t from, uint64_t end) {
  uint32_t crc = 0;
  while (from < end) {
    uint64_t buffered_end = buffer_at_ + buffered_;
    uint64_t room = from >= buffer_at_ && from < buffered_end ? buffered_end - from : buffer_.size();
    auto n = static_cast<size_t>(std::min(room, end - from));
    CO_TRY(ConstBytes bytes, co_await fill(from, n));
    crc = crc32c(bytes, crc);
    from += n;
    if (turn_.spend(n)) co_await turn_.next_turn();
  }
  co_return crc;
}

Task<Result<std::optional<ScannedBatch>>> BatchScanner::next() {
  if (position_ >= end_) co_return std::nullopt;
  if (end_ - position_ < kBatchHeaderBytes) co_return cut_off(file_->path(), position_);
  CO_TRY(ConstBytes raw, co_await fill(position_, kBatchHeaderBytes));
  auto header = BatchHeader::parse(raw);
  if (!header) co_return std::move(header).error().in(file_->path() + " at byte " + std::to_string(position_));
  if (header->size_bytes() > end_ - position_) co_return cut_off(file_->path(), position_);
  last_.header = *header;
  last_.position = position_;
  if (check_ == Check::kCrc) {
    CO_TRY(uint32_t crc, co_await crc_of(position_ + BatchField::kAttributes, last_.end()));
    if (crc != header->crc)
      co_return Error(ErrorCode::kCorrupt, file_->path() + ": wrong CRC at byte " + std::to_string(position_));
  }
  position_ = last_.end();
  if (turn_.spend(kBatchHeaderBytes)) co_await turn_.next_turn();
  co_return last_;
}

Task<Result<std::vector<std::byte>>> BatchScanner::load() {
  std::vector<std::byte> bytes(last_.header.size_bytes());
  CO_TRY(size_t n, co_await file_->read_at(last_.position, bytes));
  if (n != bytes.size()) co_return cut_off(file_->path(), last_.position);
  if (turn_.spend(n)) co_await turn_.next_turn();
  co_return bytes;
}

}  // namespace farshore
