// libFuzzer: any bytes as a record of __farshore_offsets: an error, or a record that is written to the same bytes.
#include <algorithm>

#include "base/ensure.h"
#include "offsets/translation/records.h"

using namespace farshore;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t cut = std::min<size_t>(data[0], bytes.size());
  std::optional<std::string_view> value;
  if (cut < bytes.size()) value = bytes.substr(cut);
  auto record = decode_translation(bytes.substr(0, cut), value);
  if (!record) return 0;
  auto encoded = encode_translation(*record);
  ensure(encoded.has_value(), "what is read can be written");
  std::optional<std::string_view> again;
  if (encoded->value) again = *encoded->value;
  auto twice = decode_translation(encoded->key, again);
  ensure(twice && *twice == *record, "what was written is read as the same");
  return 0;
}
