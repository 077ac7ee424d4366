// Big-endian numbers in the bytes of index and snapshot files.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace farshore {

template <class T>
void append_be(std::string& bytes, T value) {
  std::array<std::byte, sizeof(T)> raw;
  store_be(raw.data(), value);
  bytes.append(as_text(raw));
}

template <class T>
T load_be_at(std::string_view bytes, size_t at) {
  return load_be<T>(as_bytes(bytes).data() + at);
}

// Kafka allocates index files ahead of their use. A killed Kafka broker leaves zeros at their end.
inline bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

inline Error corrupt_index(std::string_view index, std::string_view what, size_t entry) {
  return {ErrorCode::kCorrupt,
          std::string(index) + " index: " + std::string(what) + " at entry " + std::to_string(entry)};
}

}  // namespace farshore
