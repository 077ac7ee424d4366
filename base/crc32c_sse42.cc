// CRC-32C with SSE4.2 and PCLMULQDQ: three interleaved crc32q chains for short input, and for longer input the hybrid
// with a step of 64 bytes of vectors and 128 bytes of streams.
#ifdef __x86_64__
#include "base/crc32c_kernels.h"
#include "base/crc32c_x86.h"

#define FARSHORE_SSE42 __attribute__((target("sse4.2,pclmul")))

namespace farshore {
namespace {

using namespace crc32c_x86;

constexpr size_t kVectorBytes = 16;
constexpr size_t kFoldBytes = 4 * kVectorBytes;
constexpr size_t kStepBytes = kFoldBytes + kStreamsStepBytes;
constexpr size_t kBlockMin = kFoldBytes + kStepBytes;
constexpr size_t kBlockMax = kFoldBytes + kStepsMax * kStepBytes;

template <uint64_t bytes>
FARSHORE_CRC32C_INLINE __m128i fold_constants() {
  constexpr uint64_t kFirst = fold_first(bytes), kSecond = fold_second(bytes);
  return pair(kFirst, kSecond);
}

// A quarter of a step, the k-th: word k of each stream, and `lanes` moved onto vector k after `p`. In assembly for the
// reason given in crc32c_avx512.cc.
template <int k>
FARSHORE_CRC32C_INLINE void quarter_step(Streams& streams, const std::byte* q, const std::byte* r, size_t length,
                                         __m128i& lanes, const std::byte* p, __m128i constants) {
  __m128i first = lanes;
  const __m128i next = load16(p + kVectorBytes * k);
  asm("crc32q %c[word](%[q]), %[s0]\n\t"
      "crc32q %c[word](%[q],%[length]), %[s1]\n\t"
      "pclmulqdq $0x00, %[constants], %[first]\n\t"
      "pclmulqdq $0x11, %[constants], %[lanes]\n\t"
      "crc32q %c[word](%[r]), %[s2]\n\t"
      "crc32q %c[word](%[r],%[length]), %[s3]\n\t"
      "pxor %[first], %[lanes]\n\t"
      "pxor %[next], %[lanes]"
      : [s0] "+&r"(streams.s0), [s1] "+&r"(streams.s1), [s2] "+&r"(streams.s2), [s3] "+&r"(streams.s3),
        [lanes] "+&x"(lanes), [first] "+&x"(first)
      : [q] "r"(q), [next] "x"(next), [r] "r"(r), [length] "r"(length), [constants] "x"(constants), [word] "i"(8 * k)
      : "memory");
}

// `bytes`: a multiple of kVectorBytes, kBlockMin to kBlockMax.
// Not inlined: it needs all registers.
__attribute__((noinline)) FARSHORE_SSE42 uint32_t block(const std::byte* p, size_t bytes, uint32_t state) {
  const size_t steps = (bytes - kFoldBytes) / kStepBytes, length = steps * kStreamStepBytes;
  const __m128i by_1 = fold_constants<kVectorBytes>(), by_2 = fold_constants<2 * kVectorBytes>(),
                by_4 = fold_constants<kFoldBytes>();
  __m128i a = _mm_xor_si128(load16(p), _mm_cvtsi32_si128(static_cast<int>(state)));
  p += kVectorBytes;
  for (size_t more = (bytes - kFoldBytes) % kStepBytes; more > 0; more -= kVectorBytes, p += kVectorBytes)
    a = fold(a, by_1, load16(p));
  __m128i b = load16(p), c = load16(p + kVectorBytes), d = load16(p + 2 * kVectorBytes);
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
  __m128i lanes = fold(fold(a, by_2, c), by_1, fold(b, by_2, d));
  return join(lanes, streams, steps);
}

// Three independent streams of `L` bytes each hide the latency of crc32q (3 cycles, one can start per cycle); the two
// earlier ones are then moved to the end and xored into the last 8 bytes.
template <size_t L>
FARSHORE_CRC32C_INLINE const std::byte* three_streams(const std::byte* p, size_t& left, uint64_t& crc) {
  static_assert(L % 8 == 0);
  constexpr uint64_t kFirst = shift_by(2 * L), kSecond = shift_by(L);
  const __m128i constants = _mm_set_epi64x(static_cast<long long>(kSecond), static_cast<long long>(kFirst));
  while (left >= 3 * L) {
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < L - 8; i += 8) {
      a = _mm_crc32_u64(a, load8(p + i));
      b = _mm_crc32_u64(b, load8(p + L + i));
      c = _mm_crc32_u64(c, load8(p + 2 * L + i));
    }
    a = _mm_crc32_u64(a, load8(p + L - 8));
    b = _mm_crc32_u64(b, load8(p + 2 * L - 8));
    __m128i moved_a = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)), constants, 0x00);
    __m128i moved_b = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(b)), constants, 0x10);
    auto moved = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_xor_si128(moved_a, moved_b)));
    crc = _mm_crc32_u64(c, load8(p + 3 * L - 8) ^ moved);
    p += 3 * L;
    left -= 3 * L;
  }
  return p;
}

}  // namespace

FARSHORE_SSE42 uint32_t crc32c_three_way(ConstBytes bytes, uint32_t crc) {
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  uint64_t state = ~crc;
  p = three_streams<2048>(p, left, state);
  p = three_streams<256>(p, left, state);
  p = three_streams<64>(p, left, state);
  p = three_streams<24>(p, left, state);
  return ~one_stream(p, left, state);
}

FARSHORE_SSE42 uint32_t crc32c_sse42(ConstBytes bytes, uint32_t crc) {
  return in_blocks<block, kVectorBytes, kBlockMin, kBlockMax>(bytes, crc);
}

}  // namespace farshore
#endif
