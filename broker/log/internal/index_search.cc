#include "broker/log/internal/index_search.h"

#include "broker/log/internal/index_codec.h"

namespace farshore {
namespace {

Task<Result<std::string>> read_index_entry(std::shared_ptr<File> file, size_t entry_bytes, uint64_t number) {
  std::string entry(entry_bytes, '\0');
  const MutableBytes into(reinterpret_cast<std::byte*>(entry.data()), entry.size());
  CO_TRY(size_t n, co_await file->read_at(number * entry_bytes, into));
  if (n != entry_bytes) co_return Error(ErrorCode::kCorrupt, file->path() + ": shorter than it was");
  co_return entry;
}

}  // namespace

Task<Result<std::optional<std::string>>> last_index_entry(std::shared_ptr<File> file, size_t entry_bytes,
                                                          std::function<bool(std::string_view entry)> reaches) {
  if (file->size() % entry_bytes != 0) co_return Error(ErrorCode::kCorrupt, file->path() + ": a cut entry");
  std::optional<std::string> best;
  uint64_t low = 0, high = file->size() / entry_bytes;  // entries below `low` reach, those from `high` on do not
  // An index is asked about its end most often: look there first.
  uint64_t middle = high == 0 ? 0 : high - 1;
  while (low < high) {
    CO_TRY(std::string entry, co_await read_index_entry(file, entry_bytes, middle));
    if (!all_zero(entry) && reaches(entry)) {
      low = middle + 1;
      best = std::move(entry);
    } else {
      high = middle;
    }
    middle = low + (high - low) / 2;
  }
  co_return best;
}

}  // namespace farshore
