// CRC-32C with AVX-512 and VPCLMULQDQ: a step is 256 bytes of vectors and 128 bytes of streams, because these take
// equally long on Zen 4 (one 64-byte multiplication in two cycles and one crc32q per cycle; 24 bytes per cycle
// together).
#ifdef __x86_64__
#include "base/crc32c_kernels.h"
#include "base/crc32c_x86.h"

#define FARSHORE_AVX512 __attribute__((target("avx512f,avx2,vpclmulqdq,sse4.2,pclmul")))
#define FARSHORE_AVX512_INLINE __attribute__((always_inline, target("avx512f,avx2,vpclmulqdq,sse4.2,pclmul"))) inline

namespace farshore {
namespace {

using namespace crc32c_x86;

constexpr size_t kVectorBytes = 64;
constexpr size_t kFoldBytes = 4 * kVectorBytes;
constexpr size_t kStepBytes = kFoldBytes + kStreamsStepBytes;
constexpr size_t kBlockMin = kFoldBytes + 3 * kVectorBytes;  // without a step; below, three ways are as fast
constexpr size_t kBlockMax = kFoldBytes + kStepsMax * kStepBytes;

FARSHORE_AVX512_INLINE __m512i fold(__m512i lanes, __m512i constants, __m512i next) {
  __m512i first = _mm512_clmulepi64_epi128(lanes, constants, 0x00);
  __m512i second = _mm512_clmulepi64_epi128(lanes, constants, 0x11);
  return _mm512_ternarylogic_epi64(first, second, next, 0x96);  // a ^ b ^ c
}

template <uint64_t bytes>
FARSHORE_AVX512_INLINE __m512i fold_constants() {
  constexpr uint64_t kFirst = fold_first(bytes), kSecond = fold_second(bytes);
  return _mm512_set_epi64(kSecond, kFirst, kSecond, kFirst, kSecond, kFirst, kSecond, kFirst);
}

// By the compilers' own name: for the intrinsics g++ 12 warns of something uninitialized in its own header.
FARSHORE_AVX512_INLINE __m256i low_half(__m512i lanes) { return __builtin_shufflevector(lanes, lanes, 0, 1, 2, 3); }
FARSHORE_AVX512_INLINE __m256i high_half(__m512i lanes) { return __builtin_shufflevector(lanes, lanes, 4, 5, 6, 7); }

// The last lane, with the three before it moved onto it.
FARSHORE_AVX512_INLINE __m128i last_lane(__m512i lanes) {
  constexpr uint64_t kFirst48 = fold_first(48), kSecond48 = fold_second(48), kFirst32 = fold_first(32),
                     kSecond32 = fold_second(32), kFirst16 = fold_first(16), kSecond16 = fold_second(16);
  const __m512i constants = _mm512_set_epi64(0, 0, kSecond16, kFirst16, kSecond32, kFirst32, kSecond48, kFirst48);
  __m512i moved = fold(lanes, constants, _mm512_maskz_mov_epi64(0xc0, lanes));
  __m256i half = _mm256_xor_si256(low_half(moved), high_half(moved));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// A quarter of a step, the k-th: word k of each stream, and `lanes` moved onto vector k after `p`. In assembly because
// the multiplication is microcode on Zen 4, and what stands between two of them decides whether the other unit is fed:
// in this order and with these addresses a step takes 16.1 cycles wherever the loop lies, in the compilers' order 18 to
// 22, with a pointer for each stream 19.
template <int k>
FARSHORE_AVX512_INLINE void quarter_step(Streams& streams, const std::byte* q, const std::byte* r, size_t length,
                                         __m512i& lanes, const std::byte* p, __m512i constants) {
  __m512i first;
  asm("crc32q %c[word](%[q]), %[s0]\n\t"
      "crc32q %c[word](%[q],%[length]), %[s1]\n\t"
      "vpclmulqdq $0x00, %[constants], %[lanes], %[first]\n\t"
      "vpclmulqdq $0x11, %[constants], %[lanes], %[lanes]\n\t"
      "crc32q %c[word](%[r]), %[s2]\n\t"
      "crc32q %c[word](%[r],%[length]), %[s3]\n\t"
      "vpternlogq $0x96, %c[next](%[p]), %[first], %[lanes]"
      : [s0] "+&r"(streams.s0), [s1] "+&r"(streams.s1), [s2] "+&r"(streams.s2), [s3] "+&r"(streams.s3),
        [lanes] "+&v"(lanes), [first] "=&v"(first)
      : [q] "r"(q), [p] "r"(p), [r] "r"(r), [length] "r"(length), [constants] "v"(constants), [word] "i"(8 * k),
        [next] "i"(kVectorBytes * k)
      : "memory");
}

// `bytes`: a multiple of kVectorBytes, kBlockMin to kBlockMax.
// Not inlined: it needs all registers.
__attribute__((noinline)) FARSHORE_AVX512 uint32_t block(const std::byte* p, size_t bytes, uint32_t state) {
  const size_t steps = (bytes - kFoldBytes) / kStepBytes, length = steps * kStreamStepBytes;
  const __m512i by_1 = fold_constants<kVectorBytes>(), by_2 = fold_constants<2 * kVectorBytes>(),
                by_4 = fold_constants<kFoldBytes>();
  __m512i a =
      _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
  p += kVectorBytes;
  for (size_t more = (bytes - kFoldBytes) % kStepBytes; more > 0; more -= kVectorBytes, p += kVectorBytes)
    a = fold(a, by_1, _mm512_loadu_si512(p));
  __m512i b = _mm512_loadu_si512(p), c = _mm512_loadu_si512(p + kVectorBytes),
          d = _mm512_loadu_si512(p + 2 * kVectorBytes);
  p += kFoldBytes - kVectorBytes;

  Streams streams;
  const std::byte* const vectors_end = p + steps * kFoldBytes;
  const std::byte *q = vectors_end, *r = q + 2 * length;
  while (p != vectors_end) {
    quarter_step<0>(streams, q, r, length, a, p, by_4);
    quarter_step<1>(streams, q, r, length, b, p, by_4);
    quarter_step<2>(streams, q, r, length, c, p, by_4);
    quarter_step<3>(streams, q, r, length, d, p, by_4);
    p += kFoldBytes;
    q += kStreamStepBytes;
    r += kStreamStepBytes;
  }
  __m512i lanes = fold(fold(a, by_2, c), by_1, fold(b, by_2, d));
  return join_avx2(last_lane(lanes), streams, steps);
}

}  // namespace

FARSHORE_AVX512 uint32_t crc32c_avx512(ConstBytes bytes, uint32_t crc) {
  return in_blocks<block, kVectorBytes, kBlockMin, kBlockMax>(bytes, crc);
}

}  // namespace farshore
#endif
