#include "base/crc32c.h"

#include <array>

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

uint32_t crc32c(ConstBytes bytes, uint32_t crc) { return crc32c_portable(bytes, crc); }

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  for (size_t k = 0; length_b != 0; ++k, length_b >>= 1)
    if (length_b & 1) crc_a = multiply(kPowers[k], crc_a);
  return crc_a ^ crc_b;
}

}  // namespace farshore
