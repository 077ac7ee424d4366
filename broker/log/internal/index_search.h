// Binary search in an index file: entries of one size, ascending, perhaps with zeros at the end (Kafka allocates index
// files ahead of their use). Reads a few bytes of the file for each step, and keeps none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"

namespace farshore {

// The last entry for which `reaches` is true, as bytes; nullopt: there is none. `reaches` is true for the first entries
// and false for the others. kCorrupt: the file does not consist of whole entries.
Task<Result<std::optional<std::string>>> last_index_entry(std::shared_ptr<File> file, size_t entry_bytes,
                                                          std::function<bool(std::string_view entry)> reaches);

}  // namespace farshore
