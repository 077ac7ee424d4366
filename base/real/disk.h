// FileSystem on POSIX. Writes go to the page cache inline; reads of cached bytes are inline too (RWF_NOWAIT); the rest
// runs on the pool. Syncs have a pool of their own, so that they hold up no open and no cold read.
#pragma once

#include <memory>

#include "base/file.h"
#include "base/wait.h"

namespace farshore {

class BlockingPool;

// `syncs`: with FileSyncs::kThreads threads.
std::unique_ptr<FileSystem> make_posix_files(Reactor& reactor, BlockingPool& pool, BlockingPool& syncs);
// The descriptor of a file opened by make_posix_files; -1 for any other File.
int descriptor_of(File& file);
// The Error for an errno of a file operation; `what` says which operation on which path.
Error file_error(int number, const std::string& what);

}  // namespace farshore
