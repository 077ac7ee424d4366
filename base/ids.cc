#include "base/ids.h"

namespace farshore {
namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(22);
  uint32_t bits = 0;
  int count = 0;
  for (uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      text.push_back(kAlphabet[bits >> count & 63]);
    }
  }
  text.push_back(kAlphabet[bits << (6 - count) & 63]);
  return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  Error bad(ErrorCode::kInvalidArgument,
            "not a Kafka uuid (22 characters of URL-safe base64): " + std::string(text.substr(0, 64)));
  if (text.size() != 22) return bad;
  Uuid uuid;
  uint32_t bits = 0;
  int count = 0;
  size_t at = 0;
  for (char c : text) {
    auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return bad;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8 && at < 16) {
      count -= 8;
      uuid.bytes[at++] = static_cast<uint8_t>(bits >> count);
    }
  }
  return uuid;
}

}  // namespace farshore
