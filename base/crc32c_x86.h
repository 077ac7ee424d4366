// Code shared by the x86 kernels of CRC-32C. The hybrid kernels use two units of the processor at once, on different
// parts of one block, because neither alone reaches memcpy:
//
//   head        vectors                                        stream 0 | stream 1 | stream 2 | stream 3
//   < 1 vector  4 accumulators folded by carry-less multiply   four crc32q chains of 32 * steps bytes each
//
// One step folds four vectors and takes four words of each stream. The head's CRC goes into the first vector; at the
// end the vectors' register and those of streams 0 to 2 are moved behind stream 3 and xored (`join`).
// The block loops of the three kernels are written out in each: a template's body has one target, and what has another
// target is not inlined into it.
// Folding: a 16-byte lane is moved ahead by two multiplications and xored there (Gopal et al., "Fast CRC Computation
// Using PCLMULQDQ", Intel 2009).
#pragma once

#ifdef __x86_64__
#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/crc32c_kernels.h"
#include "base/crc32c_polynomial.h"

// Inlined into kernels whose targets include these, so that each gets its own encoding.
#define FARSHORE_CRC32C_INLINE __attribute__((always_inline, target("sse4.2,pclmul"))) inline
#define FARSHORE_CRC32C_INLINE_AVX2 __attribute__((always_inline, target("avx2,vpclmulqdq,sse4.2,pclmul"))) inline

namespace farshore::crc32c_x86 {

using crc32c_polynomial::multiply;
using crc32c_polynomial::x_to_the;

// What a register has to be carry-less multiplied by to stand `bytes` bytes earlier. Of 33 positions the product takes
// care itself: 32 because a 32-bit constant lies in a 64-bit operand, one because the product of two reflected 64-bit
// numbers has 127 bits.
constexpr uint64_t shift_by(uint64_t bytes) { return x_to_the(bytes * 8 - 33); }
// The same for the two halves of a 16-byte lane; the first stands 64 bits before the second.
constexpr uint64_t fold_first(uint64_t bytes) { return x_to_the(bytes * 8 + 31); }
constexpr uint64_t fold_second(uint64_t bytes) { return shift_by(bytes); }

inline constexpr size_t kStreamStepBytes = 32;                     // of each stream
inline constexpr size_t kStreamsStepBytes = 4 * kStreamStepBytes;  // of all
inline constexpr size_t kStepsMax = 42;                            // 16 KiB with 64-byte vectors

// Shifts by 4, 3, 2 and 1 streams of so many steps: for the vectors' register and streams 0 to 2.
struct alignas(32) StreamShifts {
  uint64_t by[4];
};

constexpr std::array<StreamShifts, kStepsMax + 1> make_stream_shifts() {
  std::array<uint32_t, 4 * kStepsMax + 1> shifts{};  // by k * 32 bytes
  shifts[1] = static_cast<uint32_t>(shift_by(kStreamStepBytes));
  for (size_t k = 2; k < shifts.size(); ++k) shifts[k] = multiply(shifts[k - 1], x_to_the(kStreamStepBytes * 8));
  std::array<StreamShifts, kStepsMax + 1> rows{};
  constexpr uint64_t kNone = x_to_the((uint64_t{1} << 31) - 1 - 33);  // shift_by(0): x has the order 2^31 - 1
  rows[0] = {{kNone, kNone, kNone, kNone}};
  for (size_t steps = 1; steps <= kStepsMax; ++steps)
    rows[steps] = {{shifts[4 * steps], shifts[3 * steps], shifts[2 * steps], shifts[steps]}};
  return rows;
}
inline constexpr std::array<StreamShifts, kStepsMax + 1> kStreamShifts = make_stream_shifts();

// How much of `left` (a multiple of `vector`) to take as one block: never so much that the rest is a small one.
constexpr size_t block_of(size_t left, size_t vector, size_t max) {
  if (left <= max) return left;
  return left >= 2 * max ? max : left / 2 / vector * vector;
}

FARSHORE_CRC32C_INLINE uint64_t load8(const std::byte* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

FARSHORE_CRC32C_INLINE __m128i load16(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

FARSHORE_CRC32C_INLINE __m128i pair(uint64_t first, uint64_t second) {
  return _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
}

// One chain of crc32q: 8 bytes in 3 cycles.
FARSHORE_CRC32C_INLINE uint32_t one_stream(const std::byte* p, size_t left, uint64_t state) {
  for (; left >= 8; left -= 8, p += 8) state = _mm_crc32_u64(state, load8(p));
  auto crc = static_cast<uint32_t>(state);
  if (left & 4) {
    uint32_t word;
    std::memcpy(&word, p, sizeof word);
    crc = _mm_crc32_u32(crc, word);
    p += 4;
  }
  if (left & 2) {
    uint16_t word;
    std::memcpy(&word, p, sizeof word);
    crc = _mm_crc32_u16(crc, word);
    p += 2;
  }
  if (left & 1) crc = _mm_crc32_u8(crc, static_cast<uint8_t>(*p));
  return crc;
}

struct Streams {
  uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
};

FARSHORE_CRC32C_INLINE __m128i fold(__m128i lane, __m128i constants, __m128i next) {
  __m128i first = _mm_clmulepi64_si128(lane, constants, 0x00);
  __m128i second = _mm_clmulepi64_si128(lane, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

// The CRC register of one lane.
FARSHORE_CRC32C_INLINE uint64_t reduce(__m128i lane) {
  uint64_t state = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(lane)));
  return _mm_crc32_u64(state, static_cast<uint64_t>(_mm_extract_epi64(lane, 1)));
}

// The register after the streams; `lane` is what is left of the vectors before them.
FARSHORE_CRC32C_INLINE uint32_t join(__m128i lane, Streams streams, size_t steps) {
  asm("" : "+r"(streams.s1), "+r"(streams.s2));  // or clang keeps them in one vector, through the whole loop
  const auto* shifts = reinterpret_cast<const __m128i*>(kStreamShifts[steps].by);
  __m128i moved = fold(pair(streams.s1, streams.s2), _mm_load_si128(shifts + 1), _mm_setzero_si128());
  moved = fold(pair(reduce(lane), streams.s0), _mm_load_si128(shifts), moved);
  return static_cast<uint32_t>(_mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(moved))) ^ streams.s3);
}

// The same with two multiplications instead of four.
FARSHORE_CRC32C_INLINE_AVX2 uint32_t join_avx2(__m128i lane, Streams streams, size_t steps) {
  asm("" : "+r"(streams.s1), "+r"(streams.s2));
  const __m256i shifts = _mm256_load_si256(reinterpret_cast<const __m256i*>(kStreamShifts[steps].by));
  __m256i states = _mm256_set_m128i(pair(streams.s1, streams.s2), pair(reduce(lane), streams.s0));
  __m256i both =
      _mm256_xor_si256(_mm256_clmulepi64_epi128(states, shifts, 0x00), _mm256_clmulepi64_epi128(states, shifts, 0x11));
  __m128i moved = _mm_xor_si128(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
  return static_cast<uint32_t>(_mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(moved))) ^ streams.s3);
}

// Takes `bytes` in blocks of whole vectors; what is in front of them makes the head, and too little goes three ways.
template <uint32_t (*block)(const std::byte*, size_t, uint32_t), size_t vector, size_t min, size_t max>
FARSHORE_CRC32C_INLINE uint32_t in_blocks(ConstBytes bytes, uint32_t crc) {
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  while (left >= min + vector - 1) {
    size_t head = left % vector;  // not 0 the first time only
    state = one_stream(p, head, state);
    p += head;
    left -= head;
    size_t part = block_of(left, vector, max);
    state = block(p, part, state);
    p += part;
    left -= part;
  }
  return left == 0 ? ~state : crc32c_three_way(ConstBytes(p, left), ~state);
}

}  // namespace farshore::crc32c_x86
#endif
