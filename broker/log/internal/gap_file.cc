#include "broker/log/internal/gap_file.h"

#include <algorithm>

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
  whole_ = false;
  auto content = co_await read_file(files_, path_, kLoadBytesMax);
  if (!content && content.error() == ErrorCode::kNotFound) co_return gaps;
  if (!content) co_return std::move(content).error();
  ConstBytes bytes = as_bytes(*content);
  const size_t entries = bytes.size() / kJumpBytes;
  for (; bytes.size() >= kJumpBytes; bytes = bytes.subspan(kJumpBytes)) {
    if (load_be<uint32_t>(bytes.data() + kCrcAt) != crc32c(bytes.first(kCrcAt))) continue;
    gaps.push_back({Offset(load_be<int64_t>(bytes.data())), Offset(load_be<int64_t>(bytes.data() + 8)),
                    LogEpoch(load_be<int32_t>(bytes.data() + 16))});
  }
  whole_ = entries > 0 && gaps.size() == entries && bytes.empty();
  size_ = content->size() / kJumpBytes * kJumpBytes;
  for (const Gap& gap : gaps) last_gap_ = std::max(last_gap_, gap.first);
  notes_ += gaps.size();  // may be in the page cache only
  co_return gaps;
}

Task<AsyncMutex::Guard> GapFile::lock() {
  if (!lock_) lock_ = std::make_unique<AsyncMutex>(env_);
  return lock_->lock();
}

Task<Status> GapFile::add(std::vector<Gap> gaps) {
  auto guard = co_await lock();
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
  for (const Gap& gap : gaps) last_gap_ = std::max(last_gap_, gap.first);
  notes_ += gaps.size();
  co_return ok();
}

Task<Status> GapFile::sync() {
  if (!dirty() || !file_) co_return ok();
  const uint64_t notes = notes_;
  CO_CHECK(co_await file_->sync());
  if (name_dirty_) CO_CHECK(co_await files_.sync_dir(parent_path(path_)));
  name_dirty_ = false;
  synced_notes_ = std::max(synced_notes_, notes);
  co_return ok();
}

Task<Status> GapFile::clear() {
  if (size_ == 0) co_return ok();
  auto guard = co_await lock();
  co_return co_await empty();
}

Task<Status> GapFile::clear_below(Offset recovery_point, std::function<bool()> still) {
  auto guard = co_await lock();
  if (last_gap_ >= recovery_point || !still()) co_return ok();
  co_return co_await empty();
}

Task<Status> GapFile::empty() {
  if (!file_) {
    OpenMode mode;
    mode.create = true;
    CO_TRY(file_, co_await files_.open(path_, mode));
  }
  CO_CHECK(co_await file_->truncate(0));
  size_ = 0;
  last_gap_ = Offset(-1);
  synced_notes_ = notes_;
  co_return ok();
}

}  // namespace farshore
