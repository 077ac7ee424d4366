#include "base/logger.h"

namespace farshore {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

bool plain(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f) return false;
  return !text.empty();
}

void append_escaped(std::string& line, std::string_view text, bool quoted) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line.append("\\n");
    } else if (byte < ' ' || byte == 0x7f) {
      line.append("\\x");
      line.push_back(kHex[byte >> 4]);
      line.push_back(kHex[byte & 15]);
    } else {
      if (quoted && (c == '"' || c == '\\')) line.push_back('\\');
      line.push_back(c);
    }
  }
}

}  // namespace

std::string format_log_line(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line;
  line.reserve(event.size() + fields.size() * 24);
  append_escaped(line, event, false);
  for (const auto& field : fields) {
    line.push_back(' ');
    line.append(field.key);
    line.push_back('=');
    if (plain(field.value)) {
      line.append(field.value);
      continue;
    }
    line.push_back('"');
    append_escaped(line, field.value, true);
    line.push_back('"');
  }
  return line;
}

}  // namespace farshore
