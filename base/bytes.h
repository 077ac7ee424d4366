// Byte spans and big-endian loads and stores. Nothing here owns memory.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace farshore {

using ConstBytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
// Pieces that are sent, or checked, one after the other.
using ConstBytesList = std::span<const ConstBytes>;

inline ConstBytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
  requires std::is_integral_v<T>
T load_be(const std::byte* from) {
  std::make_unsigned_t<T> raw;
  std::memcpy(&raw, from, sizeof raw);
  if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) {
    if constexpr (sizeof(T) == 2)
      raw = __builtin_bswap16(raw);
    else if constexpr (sizeof(T) == 4)
      raw = __builtin_bswap32(raw);
    else
      raw = __builtin_bswap64(raw);
  }
  return static_cast<T>(raw);
}

template <class T>
  requires std::is_integral_v<T>
void store_be(std::byte* to, T value) {
  auto raw = static_cast<std::make_unsigned_t<T>>(value);
  if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) {
    if constexpr (sizeof(T) == 2)
      raw = __builtin_bswap16(raw);
    else if constexpr (sizeof(T) == 4)
      raw = __builtin_bswap32(raw);
    else
      raw = __builtin_bswap64(raw);
  }
  std::memcpy(to, &raw, sizeof raw);
}

}  // namespace farshore
