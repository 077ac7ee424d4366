// Which topics, or which consumer groups, a link takes: INCLUDE and EXCLUDE patterns, each a literal name or a prefix.
// EXCLUDE wins. If nothing is included, the link takes nothing. The terms, and "*" for everything, are those of
// Confluent's and Redpanda's links.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace farshore {

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

// The short form, on the command line and in stored links: 'orders*' is a prefix, 'orders' a literal name, '*'
// everything; a leading '!' excludes. kInvalidArgument: nothing, or a '*' that is not at the end.
Result<Filter> parse_filter(std::string_view text);
std::string to_string(const Filter& filter);  // the short form
// Short forms joined by commas; empty parts are skipped.
Result<std::vector<Filter>> parse_filters(std::string_view text);

}  // namespace farshore
