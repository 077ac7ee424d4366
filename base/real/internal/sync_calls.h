// The system calls that make files durable, and where syncfs() may be one of them. Tests bring calls of their own.
#pragma once

#include <functional>

namespace farshore {

// Each returns 0 or an errno. They are called on threads of a pool.
struct SyncCalls {
  std::function<int(int fd)> one;  // this file: fdatasync
  std::function<int(int fd)> all;  // every file of the file system of `fd`: syncfs
};

SyncCalls system_sync_calls();

// Whether syncfs() on the file system of `fd` proves as much as fdatasync() of each of its files: the kernel reports
// what could not be written (Linux 5.17), and the file system is one of which we know that it commits its journal and
// flushes the disk (ext3, ext4, xfs, btrfs). Blocks.
bool syncfs_is_proof(int fd);

}  // namespace farshore
