// CRC-32C (Castagnoli, reflected, as in Kafka's record batches: RFC 3720 appendix B.4). The kernel is chosen once,
// at run time, by what the processor and the operating system have: crc32c_kernels.h lists them.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace farshore {

// Extends `crc` (of the bytes before; 0 for none) by `bytes`.
uint32_t crc32c(ConstBytes bytes, uint32_t crc = 0);

// CRC of A followed by B, from crc(A), crc(B) and B's length in bytes; no pass over either.
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

}  // namespace farshore
