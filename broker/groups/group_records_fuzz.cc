// Any bytes as a record of __consumer_offsets. They give an error, or a record that is the same after it was encoded
// and decoded again. Input: length of the key (uint16), the key, the value.
#include "base/bytes.h"
#include "base/ensure.h"
#include "broker/groups/group_records.h"

using namespace farshore;
using namespace farshore::broker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t key_bytes = std::min<size_t>(static_cast<size_t>(data[0]) << 8 | data[1], text.size());
  const std::string_view key = text.substr(0, key_bytes);
  std::optional<std::string_view> value;
  if (key_bytes < text.size()) value = text.substr(key_bytes);
  auto record = decode_record(key, value);
  if (!record || std::holds_alternative<ForeignRecord>(*record)) return 0;
  auto encoded = encode_record(*record);
  if (!encoded) return 0;  // e.g. a value that only an older version can hold
  std::optional<std::string_view> encoded_value;
  if (encoded->value) encoded_value = *encoded->value;
  auto again = decode_record(encoded->key, encoded_value);
  ensure(again && *again == *record, "the same record");
  return 0;
}
