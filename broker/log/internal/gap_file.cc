#include "broker/log/internal/gap_file.h"

#include "base/crc32c.h"
#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

using log_format::kJumpBytes;
constexpr size_t kCrcAt = kJumpBytes - 4;
constexpr size_t kLoadBytesMax = 1 << 30;  // older releases let the file grow with the segment

}  // namespace

Task<Result<std::vector<Gap>>> GapFile::load() {
  std::vector<Gap> gaps;
  auto content = co_await read_file(files_, path_, kLoadBytesMax);
  if (!content && content.error() == ErrorCode::kNotFound) co_return gaps;
  if (!content) co_return std::move(content).error();
  ConstBytes bytes = as_bytes(*content);
  for (; bytes.size() >= kJumpBytes; bytes = bytes.subspan(kJumpBytes)) {
    if (load_be<uint32_t>(bytes.data() + kCrcAt) != crc32c(bytes.first(kCrcAt))) continue;
    gaps.push_back({Offset(load_be<int64_t>(bytes.data())), Offset(load_be<int64_t>(bytes.data() + 8)),
                    LogEpoch(load_be<int32_t>(bytes.data() + 16))});
  }
  size_ = content->size() / kJumpBytes * kJumpBytes;
  dirty_ = !gaps.empty();  // may be in the page cache only
  co_return gaps;
}

Task<Status> GapFile::add(std::vector<Gap> gaps) {
  if (!file_) {
    OpenMode mode;
    mode.create = true;
    CO_TRY(file_, co_await files_.open(path_, mode));
    name_dirty_ = true;
  }
  std::vector<std::byte> bytes(gaps.size() * kJumpBytes);
  std::byte* at = bytes.data();
  for (const Gap& gap : gaps) {
    store_be(at, gap.expected.value());
    store_be(at + 8, gap.first.value());
    store_be(at + 16, gap.epoch.value());
    store_be(at + kCrcAt, crc32c(ConstBytes(at, kCrcAt)));
    at += kJumpBytes;
  }
  ConstBytes piece(bytes);
  CO_CHECK(co_await file_->write_at(size_, ConstBytesList(&piece, 1)));
  size_ += bytes.size();
  dirty_ = true;
  co_return ok();
}

Task<Status> GapFile::sync() {
  if (!dirty_ || !file_) co_return ok();
  const uint64_t size = size_;
  CO_CHECK(co_await file_->sync());
  if (name_dirty_) CO_CHECK(co_await files_.sync_dir(parent_path(path_)));
  name_dirty_ = false;
  dirty_ = size_ != size;
  co_return ok();
}

Task<Status> GapFile::clear() {
  if (size_ == 0) co_return ok();
  if (!file_) {
    OpenMode mode;
    mode.create = true;
    CO_TRY(file_, co_await files_.open(path_, mode));
  }
  size_ = 0;
  dirty_ = false;
  co_return co_await file_->truncate(0);
}

}  // namespace farshore
