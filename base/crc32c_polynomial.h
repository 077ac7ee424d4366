// Arithmetic of CRC-32C: polynomials over GF(2) modulo the CRC's, all reflected (bit 31 is x^0). Everything here can be
// computed at compile time: it makes the tables and constants of the kernels.
#pragma once

#include <cstdint>

namespace farshore::crc32c_polynomial {

inline constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected 0x1edc6f41

constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t m = 1u << 31; m != 0; m >>= 1) {
    if (a & m) product ^= b;
    b = (b >> 1) ^ (b & 1 ? kPolynomial : 0);
  }
  return product;
}

constexpr uint32_t x_to_the(uint64_t n) {
  uint32_t result = 1u << 31, power = 1u << 30;
  for (; n != 0; n >>= 1) {
    if (n & 1) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}

}  // namespace farshore::crc32c_polynomial
