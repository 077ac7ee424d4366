// Small files that a program reads once at its start (its configuration), whole and synchronously, before it runs an
// Env. Everything else goes through Env::files().
#pragma once

#include <string>

#include "base/result.h"

namespace farshore {

// kNotFound, kPermissionDenied, kInvalidArgument (a directory, more than `bytes_max`), kIo; the detail names the file
// and the system's reason.
Result<std::string> read_text_file(const std::string& path, size_t bytes_max = 1 << 20);

}  // namespace farshore
