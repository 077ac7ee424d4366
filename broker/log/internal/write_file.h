// Writes a whole file: creates it, or replaces its content. Not atomic; base's replace_file is.
#pragma once

#include <string>

#include "base/file.h"

namespace farshore {

enum class WriteDurability { kCached, kSynced };

// kCached: the bytes are in the page cache. kSynced: the bytes are durable (the name is not, until the directory is
// synced). Errors: those of FileSystem::open, File::write_at and File::sync.
Task<Status> write_file(FileSystem& files, std::string path, std::string content, WriteDurability durability);

}  // namespace farshore
