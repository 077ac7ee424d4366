#include "broker/log/internal/leader_epochs.h"

#include "base/crc32c.h"
#include "broker/log/internal/log_format.h"

namespace farshore {

LeaderEpochs::LeaderEpochs(Env& env, FileSystem& files, std::string directory)
    : files_(files), path_(join_path(directory, log_format::kEpochs)), file_lock_(env) {}

bool LeaderEpochs::truncate_end(Offset to) {
  const bool changed = cache_.truncate_end(to);
  dirty_ |= changed;
  recorded_ = std::min(recorded_, cache_.latest());
  return changed;
}

bool LeaderEpochs::truncate_start(Offset start) {
  const bool changed = cache_.truncate_start(start);
  dirty_ |= changed;
  return changed;
}

void LeaderEpochs::clear() {
  cache_.clear();
  recorded_ = LogEpoch(-1);
}

void LeaderEpochs::set(EpochCache cache) {
  cache_ = std::move(cache);
  recorded_ = cache_.latest();
}

void LeaderEpochs::file_removed() {
  dirty_ = announced_ = false;
  file_crc_ = 0;
}

Task<Status> LeaderEpochs::save() {
  auto guard = co_await file_lock_.lock();
  std::string text = cache_.encode();
  const uint32_t crc = crc32c(as_bytes(text));
  const LogEpoch latest = cache_.latest();
  dirty_ = announced_ = false;  // an epoch that is assigned while the file is being written makes it dirty again
  auto saved = co_await replace_file(files_, path_, std::move(text));
  if (!saved) {
    dirty_ = true;
    co_return saved;
  }
  file_crc_ = crc;
  note_recorded(std::min(latest, cache_.latest()));
  co_return ok();
}

Task<Result<std::optional<std::string>>> LeaderEpochs::load_text() {
  file_crc_ = 0;
  auto text = co_await read_file(files_, path_);
  if (!text && text.error() == ErrorCode::kNotFound) co_return std::nullopt;
  if (!text) co_return std::move(text).error();
  if (!text->empty()) file_crc_ = crc32c(as_bytes(*text));
  co_return std::optional(std::move(text).value());
}

}  // namespace farshore
