#include "proto/link/filter.h"

#include <algorithm>

namespace farshore {

bool Filter::matches(std::string_view subject) const {
  if (pattern == PatternType::kLiteral) return name == "*" || name == subject;
  return subject.starts_with(name);
}

bool selected(const std::vector<Filter>& filters, std::string_view subject) {
  auto hit = [&](FilterType type) {
    return std::any_of(filters.begin(), filters.end(),
                       [&](const Filter& f) { return f.type == type && f.matches(subject); });
  };
  return hit(FilterType::kInclude) && !hit(FilterType::kExclude);
}

Result<Filter> parse_filter(std::string_view text) {
  Filter filter;
  if (text.starts_with('!')) {
    filter.type = FilterType::kExclude;
    text.remove_prefix(1);
  }
  if (text.empty())
    return Error(ErrorCode::kInvalidArgument, "an empty pattern: give a name, 'prefix*', or '*' for everything");
  if (auto star = text.find('*'); star != std::string_view::npos && star + 1 != text.size())
    return Error(ErrorCode::kInvalidArgument, "pattern '" + std::string(text) +
                                                  "': '*' may only stand at the end (names and prefixes are literal, "
                                                  "as in Kafka's ACLs)");
  if (text != "*" && text.ends_with('*')) {
    filter.pattern = PatternType::kPrefixed;
    text.remove_suffix(1);
  }
  filter.name = text;
  return filter;
}

std::string to_string(const Filter& filter) {
  std::string text = filter.type == FilterType::kExclude ? "!" : "";
  text += filter.name;
  if (filter.pattern == PatternType::kPrefixed) text += '*';
  return text;
}

Result<std::vector<Filter>> parse_filters(std::string_view text) {
  std::vector<Filter> filters;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) {
      FARSHORE_TRY(auto filter, parse_filter(text.substr(at, comma - at)));
      filters.push_back(std::move(filter));
    }
    at = comma + 1;
  }
  return filters;
}

}  // namespace farshore
