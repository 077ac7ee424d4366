#include "base/crc32c.h"

#include <array>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace farshore {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected 0x1edc6f41

using Table = std::array<std::array<uint32_t, 256>, 8>;

// table[k][b]: the CRC register after byte b and k zero bytes ("slicing by 8").
constexpr Table make_table() {
  Table table{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    table[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t b = 0; b < 256; ++b) table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 255];
  return table;
}
constexpr Table kTable = make_table();

// The product of two polynomials modulo the CRC's, both reflected (bit 31 is x^0).
constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t m = 1u << 31; m != 0; m >>= 1) {
    if (a & m) product ^= b;
    b = (b >> 1) ^ (b & 1 ? kPolynomial : 0);
  }
  return product;
}

// powers[k] = x^(8 * 2^k): what appending 2^k zero bytes multiplies by.
constexpr std::array<uint32_t, 64> make_powers() {
  std::array<uint32_t, 64> powers{};
  powers[0] = 1u << 23;  // x^8
  for (size_t k = 1; k < 64; ++k) powers[k] = multiply(powers[k - 1], powers[k - 1]);
  return powers;
}
constexpr std::array<uint32_t, 64> kPowers = make_powers();

}  // namespace

uint32_t crc32c_portable(ConstBytes bytes, uint32_t crc) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  crc = ~crc;
  for (; left >= 8; left -= 8, p += 8) {
    uint32_t low = crc ^ (p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24);
    crc = kTable[7][low & 255] ^ kTable[6][low >> 8 & 255] ^ kTable[5][low >> 16 & 255] ^ kTable[4][low >> 24] ^
          kTable[3][p[4]] ^ kTable[2][p[5]] ^ kTable[1][p[6]] ^ kTable[0][p[7]];
  }
  for (; left > 0; --left, ++p) crc = (crc >> 8) ^ kTable[0][(crc ^ *p) & 255];
  return ~crc;
}

#ifdef __x86_64__
namespace {

// x^n modulo the CRC's polynomial, reflected.
constexpr uint32_t x_to_the(uint64_t n) {
  uint32_t result = 1u << 31, power = 1u << 30;
  for (; n != 0; n >>= 1) {
    if (n & 1) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}

uint64_t load8(const std::byte* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// What a register has to be carry-less multiplied by to stand `bytes` bytes earlier. Of 33 positions the product takes
// care itself: 32 because a 32-bit constant lies in a 64-bit operand, one because the product of two reflected 64-bit
// numbers has 127 bits.
constexpr uint64_t shift_by(uint64_t bytes) { return x_to_the(bytes * 8 - 33); }

// Three independent streams of `L` bytes each hide the latency of crc32q (3 cycles, one can start per cycle); the two
// earlier ones are then moved to the end and xored into the last 8 bytes.
template <size_t L>
__attribute__((target("sse4.2,pclmul"))) const std::byte* three_streams(const std::byte* p, size_t& left,
                                                                        uint64_t& crc) {
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

__attribute__((target("sse4.2,pclmul"))) uint64_t one_stream(const std::byte* p, size_t left, uint64_t crc) {
  for (; left >= 8; left -= 8, p += 8) crc = _mm_crc32_u64(crc, load8(p));
  for (; left > 0; --left, ++p) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), static_cast<uint8_t>(*p));
  return crc;
}

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_sse(ConstBytes bytes, uint32_t crc) {
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  uint64_t state = ~crc;
  p = three_streams<2048>(p, left, state);
  p = three_streams<256>(p, left, state);
  p = three_streams<64>(p, left, state);
  return ~static_cast<uint32_t>(one_stream(p, left, state));
}

// Folding: each 16-byte lane is moved 256 bytes ahead and xored there, 16 lanes at a time (Gopal et al., "Fast CRC
// Computation Using PCLMULQDQ", Intel 2009, with the wide multiplication of AVX-512).
constexpr size_t kFoldBytes = 256;
constexpr uint64_t fold_first(uint64_t bytes) {
  return x_to_the(bytes * 8 + 31);
}  // the lane's first 8 bytes: 64 bits more
constexpr uint64_t fold_second(uint64_t bytes) { return x_to_the(bytes * 8 - 33); }

__attribute__((target("avx512f,vpclmulqdq,sse4.2,pclmul"))) __m512i fold(__m512i lanes, __m512i constants,
                                                                         __m512i next) {
  __m512i first = _mm512_clmulepi64_epi128(lanes, constants, 0x00);
  __m512i second = _mm512_clmulepi64_epi128(lanes, constants, 0x11);
  return _mm512_ternarylogic_epi64(first, second, next, 0x96);  // a ^ b ^ c
}

__attribute__((target("avx512f,vpclmulqdq,sse4.2,pclmul"))) __m512i fold_constants(uint64_t first, uint64_t second) {
  auto a = static_cast<long long>(first), b = static_cast<long long>(second);
  return _mm512_set_epi64(b, a, b, a, b, a, b, a);
}

__attribute__((target("avx512f,vpclmulqdq,sse4.2,pclmul"))) uint32_t crc32c_avx512(ConstBytes bytes, uint32_t crc) {
  if (bytes.size() < 2 * kFoldBytes) return crc32c_sse(bytes, crc);
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  __m512i a =
      _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~crc))));
  __m512i b = _mm512_loadu_si512(p + 64), c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
  p += kFoldBytes;
  left -= kFoldBytes;
  constexpr uint64_t kFirst256 = fold_first(256), kSecond256 = fold_second(256);
  const __m512i by_256 = fold_constants(kFirst256, kSecond256);
  for (; left >= kFoldBytes; left -= kFoldBytes, p += kFoldBytes) {
    a = fold(a, by_256, _mm512_loadu_si512(p));
    b = fold(b, by_256, _mm512_loadu_si512(p + 64));
    c = fold(c, by_256, _mm512_loadu_si512(p + 128));
    d = fold(d, by_256, _mm512_loadu_si512(p + 192));
  }
  constexpr uint64_t kFirst64 = fold_first(64), kSecond64 = fold_second(64);
  const __m512i by_64 = fold_constants(kFirst64, kSecond64);
  a = fold(fold(fold(a, by_64, b), by_64, c), by_64, d);
  // What is left in 64 bytes has the same CRC register as all that was folded into it.
  alignas(64) std::byte rest[64];
  _mm512_store_si512(rest, a);
  uint64_t state = one_stream(rest, sizeof rest, 0);
  return crc32c_sse(ConstBytes(p, left), ~static_cast<uint32_t>(state));
}

using Kernel = uint32_t (*)(ConstBytes, uint32_t);

Kernel choose() {
  __builtin_cpu_init();
  bool sse = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
  if (sse && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq")) return crc32c_avx512;
  return sse ? crc32c_sse : crc32c_portable;
}

}  // namespace

uint32_t crc32c(ConstBytes bytes, uint32_t crc) {
  static const Kernel kernel = choose();
  return kernel(bytes, crc);
}

uint32_t crc32c_three_way(ConstBytes bytes, uint32_t crc) {
  static const bool able = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
  return able ? crc32c_sse(bytes, crc) : crc32c_portable(bytes, crc);
}
#else
uint32_t crc32c(ConstBytes bytes, uint32_t crc) { return crc32c_portable(bytes, crc); }
uint32_t crc32c_three_way(ConstBytes bytes, uint32_t crc) { return crc32c_portable(bytes, crc); }
#endif

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  for (size_t k = 0; length_b != 0; ++k, length_b >>= 1)
    if (length_b & 1) crc_a = multiply(kPowers[k], crc_a);
  return crc_a ^ crc_b;
}

}  // namespace farshore
