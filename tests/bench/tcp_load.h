// The load for a plain TCP relay: one end sends bytes into connections, the other end reads and drops them.
// Blocking system calls: this is a load, not a part of the product.
#pragma once

#include <cstdint>

#include "base/net.h"

namespace farshore::bench {

// Sends `bytes` to `to` in writes of `write_bytes`, on each of `connections` in turn, and ends.
Status pour(const Endpoint& to, uint64_t bytes, int connections, size_t write_bytes);

// Listens at `at`, says `ready: drain ADDRESS` on stdout, takes `connections`, and returns what they brought.
Result<uint64_t> drain(const Endpoint& at, int connections);

}  // namespace farshore::bench
