#include "linker/printable.h"

#include <algorithm>
#include <vector>

namespace farshore::linker {
namespace {

// The bytes of the UTF-8 character at the front of `text`; 0: there is none (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
size_t character_bytes(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(i < text.size() ? text[i] : '\0'); };
  const auto follows = [&](size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
  const uint8_t first = at(0), second = at(1);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !follows(1)) return 0;
  if (first < 0xE0) return 2;
  if (first == 0xE0 && second < 0xA0) return 0;
  if (first == 0xED && second >= 0xA0) return 0;
  if (!follows(2)) return 0;
  if (first < 0xF0) return 3;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second >= 0x90) return 0;
  return follows(3) ? 4 : 0;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    if (bytes == 0) {
      const auto byte = static_cast<uint8_t>(text.front());
      out.append("\\x").push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return out;
}

void make_printable(google::protobuf::Message& message) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const Field*> fields;
  reflection.ListFields(message, &fields);
  for (const Field* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
        make_printable(field->is_repeated() ? *reflection.MutableRepeatedMessage(&message, field, i)
                                            : *reflection.MutableMessage(&message, field));
      } else if (field->type() == Field::TYPE_STRING && field->is_repeated()) {
        const std::string text = reflection.GetRepeatedString(message, field, i);
        if (std::string shown = printable(text); shown != text)
          reflection.SetRepeatedString(&message, field, i, std::move(shown));
      } else if (field->type() == Field::TYPE_STRING) {
        const std::string text = reflection.GetString(message, field);
        if (std::string shown = printable(text); shown != text) reflection.SetString(&message, field, std::move(shown));
      }
    }
  }
}

}  // namespace farshore::linker
