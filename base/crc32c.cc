#include "base/crc32c.h"

#include <array>

#include "base/crc32c_kernels.h"
#include "base/crc32c_polynomial.h"

namespace farshore {
namespace {

using crc32c_polynomial::kPolynomial;
using crc32c_polynomial::multiply;

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

// powers[k] = x^(8 * 2^k): what appending 2^k zero bytes multiplies by.
constexpr std::array<uint32_t, 64> make_powers() {
  std::array<uint32_t, 64> powers{};
  powers[0] = 1u << 23;  // x^8
  for (size_t k = 1; k < 64; ++k) powers[k] = multiply(powers[k - 1], powers[k - 1]);
  return powers;
}
constexpr std::array<uint32_t, 64> kPowers = make_powers();

struct Kernels {
  std::array<Crc32cKernel, 5> list{};
  size_t count = 0;

  Kernels() {
    list[count++] = {"portable", crc32c_portable};
#ifdef __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return;
    list[count++] = {"three_way", crc32c_three_way};
    list[count++] = {"sse42", crc32c_sse42};
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("vpclmulqdq")) return;
    list[count++] = {"avx2", crc32c_avx2};
    if (__builtin_cpu_supports("avx512f")) list[count++] = {"avx512", crc32c_avx512};
#endif
  }
};

}  // namespace

std::span<const Crc32cKernel> crc32c_kernels() {
  static const Kernels kernels;
  return {kernels.list.data(), kernels.count};
}

uint32_t crc32c(ConstBytes bytes, uint32_t crc) {
  static const auto function = crc32c_kernels().back().function;
  return function(bytes, crc);
}

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

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  for (size_t k = 0; length_b != 0; ++k, length_b >>= 1)
    if (length_b & 1) crc_a = multiply(kPowers[k], crc_a);
  return crc_a ^ crc_b;
}

}  // namespace farshore
