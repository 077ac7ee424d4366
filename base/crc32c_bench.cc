// The speed of each CRC-32C kernel that this processor has, and of memcpy, on cached data, in one run, with their ratio
// (wanted of the last, which crc32c() takes: at least 0.7 at every size from 4 KiB up).
//   crc32c_bench           sizes from 4 KiB to 1 MiB, then the lowest ratio among many sizes
// Both work on the same source; memcpy's destination stays in the cache as well and does not share the source's place
// in a page, which would slow it down. Measured in turns, each the best of all turns.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/crc32c_kernels.h"

namespace {

using namespace farshore;

constexpr size_t kSizeMax = 1 << 20;
constexpr int kTurns = 40;
constexpr size_t kTurnBytes = 2 << 20;  // read by each in one turn

struct Buffers {
  std::vector<std::byte> memory = std::vector<std::byte>(2 * kSizeMax + 3 * 4096);
  std::byte* source;
  std::byte* target;

  Buffers() {
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i * 167 >> 3);
    void* start = memory.data();
    size_t space = memory.size();
    source = static_cast<std::byte*>(std::align(4096, 2 * kSizeMax, start, space));
    target = source + kSizeMax + 4096 + 2048;
  }
};

template <class Work>
double seconds(size_t times, Work work) {
  auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(times);
}

struct Measured {
  double copy = 1e9;
  std::vector<double> kernels;
};

Measured measure(const Buffers& buffers, size_t offset, size_t size, std::span<const Crc32cKernel> kernels) {
  Measured best{.kernels = std::vector<double>(kernels.size(), 1e9)};
  const std::byte* source = buffers.source + offset;
  const size_t times = std::max<size_t>(1, kTurnBytes / size);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (size_t target_offset : {size_t{0}, offset}) {
      std::byte* target = buffers.target + target_offset;
      best.copy = std::min(best.copy, seconds(times, [&] {
                             std::memcpy(target, source, size);
                             asm volatile("" ::: "memory");
                           }));
    }
    for (size_t k = 0; k < kernels.size(); ++k)
      best.kernels[k] = std::min(best.kernels[k], seconds(times, [&] {
                                   uint32_t crc = kernels[k].function(ConstBytes(source, size), 0);
                                   asm volatile("" ::"r"(crc) : "memory");
                                 }));
  }
  return best;
}

double gigabytes(size_t size, double seconds) { return static_cast<double>(size) / seconds / 1e9; }

}  // namespace

int main() {
  const Buffers buffers;
  const auto kernels = crc32c_kernels();
  std::printf("GB/s (ratio to memcpy)\n%9s %7s %8s", "bytes", "offset", "memcpy");
  for (const auto& kernel : kernels) std::printf(" %16s", kernel.name);
  std::printf("\n");
  for (size_t size : {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20})
    for (size_t offset : {0, 16}) {
      Measured m = measure(buffers, offset, size, kernels);
      std::printf("%9zu %7zu %8.1f", size, offset, gigabytes(size, m.copy));
      for (double kernel : m.kernels) std::printf("     %5.1f (%.2f)", gigabytes(size, kernel), m.copy / kernel);
      std::printf("\n");
    }

  size_t lowest_size = 0, measured = 0;
  double lowest = 1e9;
  for (size_t size = 4096; size <= 64 << 10; size += size < 20000 ? 331 : 4001, ++measured) {
    Measured m = measure(buffers, size % 64, size, kernels.last(1));
    if (double ratio = m.copy / m.kernels[0]; ratio < lowest) lowest = ratio, lowest_size = size;
  }
  std::printf("%s, lowest ratio among %zu sizes from 4 KiB to 64 KiB: %.2f at %zu bytes\n", kernels.back().name,
              measured, lowest, lowest_size);
}
