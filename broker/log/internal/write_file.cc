#include "broker/log/internal/write_file.h"

namespace farshore {

Task<Status> write_file(FileSystem& files, std::string path, std::string content, WriteDurability durability) {
  OpenMode mode;
  mode.create = mode.truncate = true;
  CO_TRY(auto file, co_await files.open(path, mode));
  ConstBytes piece = as_bytes(content);
  if (!content.empty()) CO_CHECK(co_await file->write_at(0, ConstBytesList(&piece, 1)));
  if (durability == WriteDurability::kSynced) co_return co_await file->sync();
  co_return ok();
}

}  // namespace farshore
