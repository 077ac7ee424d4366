// File descriptors: how many the system allows this process (RLIMIT_NOFILE).
#pragma once

#include <cstddef>

namespace farshore {

// Raises the soft limit to the hard one, as far as a process makes use of it, and returns the limit that is in force.
// For a program's main(), before it opens anything.
size_t raise_descriptor_limit();

}  // namespace farshore
