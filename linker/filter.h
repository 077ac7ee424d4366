// Which topics, or groups, a link takes: INCLUDE and EXCLUDE patterns, literal or by prefix; EXCLUDE wins; nothing
// included means nothing taken. The words, and "*" for everything, are Confluent's and Redpanda's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace farshore::linker {

enum class PatternType : uint8_t { kLiteral, kPrefixed };
enum class FilterType : uint8_t { kInclude, kExclude };

struct Filter {
  std::string name;  // "*" with kLiteral: everything
  PatternType pattern = PatternType::kLiteral;
  FilterType type = FilterType::kInclude;
  bool matches(std::string_view subject) const;
  friend bool operator==(const Filter&, const Filter&) = default;
};

bool selected(const std::vector<Filter>& filters, std::string_view subject);

// The command line's short form: 'orders*' is a prefix, 'orders' a literal, '*' everything, a leading '!' excludes.
// kInvalidArgument where a '*' stands anywhere but at the end.
Result<Filter> parse_filter(std::string_view text);
std::string to_string(const Filter& filter);  // the short form again

}  // namespace farshore::linker
