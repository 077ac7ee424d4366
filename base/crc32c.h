// CRC-32C (Castagnoli, reflected, as in Kafka's record batches: RFC 3720 appendix B.4). Chosen once, at run time:
// folding with AVX-512 and VPCLMULQDQ, three interleaved crc32q streams with SSE4.2 and PCLMUL, or tables; all tested
// equal.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace farshore {

// Extends `crc` (of the bytes before; 0 for none) by `bytes`.
uint32_t crc32c(ConstBytes bytes, uint32_t crc = 0);
uint32_t crc32c_portable(ConstBytes bytes, uint32_t crc = 0);
uint32_t crc32c_three_way(ConstBytes bytes, uint32_t crc = 0);  // portable where the processor lacks it

// CRC of A followed by B, from crc(A), crc(B) and B's length in bytes; no pass over either.
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

}  // namespace farshore
