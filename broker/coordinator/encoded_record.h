// One record of an internal topic, as bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace farshore::broker {

struct EncodedRecord {
  std::string key;
  std::optional<std::string> value;  // nullopt: a tombstone
  // Upper bound of its size in a batch.
  size_t size_bytes() const { return key.size() + (value ? value->size() : 0) + kOverheadMax; }
  static constexpr size_t kOverheadMax = 40;  // varints around it
};

}  // namespace farshore::broker
