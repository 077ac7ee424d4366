// Decodes any bytes as any message in any version: an error, or a message that encodes and decodes to the same bytes.
// Covers the requests and responses of every schema. Input: key, version, odd for a
// request, then the message.
#include "base/ensure.h"
#include "proto/kafka/testing/random_messages.h"

using namespace farshore;
using namespace farshore::kafka;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<MessageCase> cases = message_cases();
  if (size < 3) return 0;
  const MessageCase* chosen = &cases[data[0] % cases.size()];
  for (const MessageCase& each : cases)
    if ((each.key & 255) == data[0] && each.request == (data[2] & 1)) chosen = &each;
  const MessageCase& it = *chosen;
  auto version =
      static_cast<int16_t>(it.min_version + (data[1] + 256 - it.min_version) % (it.max_version - it.min_version + 1));
  Reader reader(ConstBytes(reinterpret_cast<const std::byte*>(data + 3), size - 3));
  auto once = it.recode(reader, version);
  if (!once) return 0;
  Reader again(*once);
  auto twice = it.recode(again, version);
  ensure(twice && *twice == *once, "what was encoded is decoded to the same");
  return 0;
}
