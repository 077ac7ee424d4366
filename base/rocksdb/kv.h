// KvStore on RocksDB. Every call runs on the RealEnv's pool; nothing of RocksDB is in this header.
#pragma once

#include <memory>
#include <string>

#include "base/kv.h"

namespace farshore {

class RealEnv;

// Small on purpose: a store holds metadata and maps, not records. Memory per store: two write buffers of 4 MiB at most,
// 4 MiB of cached blocks.
class RocksKvOpener final : public KvOpener {
 public:
  explicit RocksKvOpener(RealEnv& env) : env_(env) {}
  // Makes the directory, with parents. Also kNoSpace (less is free than an opening writes: nothing was touched),
  // kPermissionDenied, kIo.
  Task<Result<std::unique_ptr<KvStore>>> open(std::string directory) override;

 private:
  RealEnv& env_;
};

}  // namespace farshore
