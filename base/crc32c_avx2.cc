// CRC-32C with AVX2 and VPCLMULQDQ: a step is 128 bytes of vectors and 128 bytes of streams, for processors that have
// the wide multiplication but no AVX-512 (or an operating system that does not save its registers).
#ifdef __x86_64__
#include "base/crc32c_kernels.h"
#include "base/crc32c_x86.h"

#define FARSHORE_AVX2 __attribute__((target("avx2,vpclmulqdq,sse4.2,pclmul")))

namespace farshore {
namespace {

using namespace crc32c_x86;

constexpr size_t kVectorBytes = 32;
constexpr size_t kFoldBytes = 4 * kVectorBytes;
constexpr size_t kStepBytes = kFoldBytes + kStreamsStepBytes;
constexpr size_t kBlockMin = kFoldBytes + kStepBytes;
constexpr size_t kBlockMax = kFoldBytes + kStepsMax * kStepBytes;

FARSHORE_CRC32C_INLINE_AVX2 __m256i fold(__m256i lanes, __m256i constants, __m256i next) {
  __m256i first = _mm256_clmulepi64_epi128(lanes, constants, 0x00);
  __m256i second = _mm256_clmulepi64_epi128(lanes, constants, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(first, second), next);
}

FARSHORE_CRC32C_INLINE_AVX2 __m256i load32(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

template <uint64_t bytes>
FARSHORE_CRC32C_INLINE_AVX2 __m256i fold_constants() {
  constexpr uint64_t kFirst = fold_first(bytes), kSecond = fold_second(bytes);
  return _mm256_broadcastsi128_si256(pair(kFirst, kSecond));
}

// The last lane, with the one before it moved onto it.
FARSHORE_CRC32C_INLINE_AVX2 __m128i last_lane(__m256i lanes) {
  constexpr uint64_t kFirst = fold_first(16), kSecond = fold_second(16);
  return crc32c_x86::fold(_mm256_castsi256_si128(lanes), pair(kFirst, kSecond), _mm256_extracti128_si256(lanes, 1));
}

// A quarter of a step, the k-th: word k of each stream, and `lanes` moved onto vector k after `p`. In assembly for the
// reason given in crc32c_avx512.cc.
template <int k>
FARSHORE_CRC32C_INLINE_AVX2 void quarter_step(Streams& streams, const std::byte* q, const std::byte* r, size_t length,
                                              __m256i& lanes, const std::byte* p, __m256i constants) {
  __m256i first;
  asm("crc32q %c[word](%[q]), %[s0]\n\t"
      "crc32q %c[word](%[q],%[length]), %[s1]\n\t"
      "vpclmulqdq $0x00, %[constants], %[lanes], %[first]\n\t"
      "vpclmulqdq $0x11, %[constants], %[lanes], %[lanes]\n\t"
      "crc32q %c[word](%[r]), %[s2]\n\t"
      "crc32q %c[word](%[r],%[length]), %[s3]\n\t"
      "vpxor %[first], %[lanes], %[lanes]\n\t"
      "vpxor %c[next](%[p]), %[lanes], %[lanes]"
      : [s0] "+&r"(streams.s0), [s1] "+&r"(streams.s1), [s2] "+&r"(streams.s2), [s3] "+&r"(streams.s3),
        [lanes] "+&x"(lanes), [first] "=&x"(first)
      : [q] "r"(q), [p] "r"(p), [r] "r"(r), [length] "r"(length), [constants] "x"(constants), [word] "i"(8 * k),
        [next] "i"(kVectorBytes * k)
      : "memory");
}

// `bytes`: a multiple of kVectorBytes, kBlockMin to kBlockMax.
// Not inlined: it needs all registers.
__attribute__((noinline)) FARSHORE_AVX2 uint32_t block(const std::byte* p, size_t bytes, uint32_t state) {
  const size_t steps = (bytes - kFoldBytes) / kStepBytes, length = steps * kStreamStepBytes;
  const __m256i by_1 = fold_constants<kVectorBytes>(), by_2 = fold_constants<2 * kVectorBytes>(),
                by_4 = fold_constants<kFoldBytes>();
  __m256i a = _mm256_xor_si256(load32(p), _mm256_zextsi128_si256(_mm_cvtsi32_si128(static_cast<int>(state))));
  p += kVectorBytes;
  for (size_t more = (bytes - kFoldBytes) % kStepBytes; more > 0; more -= kVectorBytes, p += kVectorBytes)
    a = fold(a, by_1, load32(p));
  __m256i b = load32(p), c = load32(p + kVectorBytes), d = load32(p + 2 * kVectorBytes);
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
  __m256i lanes = fold(fold(a, by_2, c), by_1, fold(b, by_2, d));
  return join_avx2(last_lane(lanes), streams, steps);
}

}  // namespace

FARSHORE_AVX2 uint32_t crc32c_avx2(ConstBytes bytes, uint32_t crc) {
  return in_blocks<block, kVectorBytes, kBlockMin, kBlockMax>(bytes, crc);
}

}  // namespace farshore
#endif
