// The kernels behind crc32c(): each extends a CRC in its own way, all with the same result. What is listed can run on
// this processor; tests and the benchmark force each by name, crc32c() takes the last.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace farshore {

struct Crc32cKernel {
  const char* name;
  uint32_t (*function)(ConstBytes bytes, uint32_t crc);
};

// Slowest first; "portable" is always there. Asks the processor (and whether the operating system saves its wide
// registers) once.
std::span<const Crc32cKernel> crc32c_kernels();

uint32_t crc32c_portable(ConstBytes bytes, uint32_t crc);

#ifdef __x86_64__
// Each may be called only where crc32c_kernels() lists it.
uint32_t crc32c_three_way(ConstBytes bytes, uint32_t crc);
uint32_t crc32c_sse42(ConstBytes bytes, uint32_t crc);
uint32_t crc32c_avx2(ConstBytes bytes, uint32_t crc);
uint32_t crc32c_avx512(ConstBytes bytes, uint32_t crc);
#endif

}  // namespace farshore
