// Record batches of an exact size, made once and sent many times: what the benchmark produces must not cost the
// benchmark.
#pragma once

#include <vector>

#include "base/random.h"
#include "proto/batch/batch.h"

namespace farshore::bench {

struct PayloadOptions {
  size_t batch_bytes = 16 << 10;  // uncompressed: of the whole batch, exactly; compressed: of its records before that
  size_t record_bytes = 1000;     // of a value; the last one fills the batch
  Compression compression = Compression::kNone;
  size_t distinct = 64;  // batches, so that no cache holds all the bytes
  uint64_t seed = 1;
};

struct Batch {
  std::vector<std::byte> bytes;
  int32_t records = 0;
  size_t value_bytes = 0;
};

// Uncompressed values are random bytes. Compressed ones are lines of text from a small vocabulary with numbers, which
// lz4 makes about three times smaller.
std::vector<Batch> make_batches(const PayloadOptions& options, WallTime now);

}  // namespace farshore::bench
