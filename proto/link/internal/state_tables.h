// Lookups in the constant tables of this room: the names of an enum, and which of its values may follow which.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

namespace farshore {

template <class Enum, size_t N>
constexpr std::string_view name_in(const std::pair<Enum, std::string_view> (&table)[N], Enum wanted) {
  for (const auto& [value, text] : table)
    if (value == wanted) return text;
  return "UNKNOWN";
}

template <class Enum, size_t N>
constexpr std::optional<Enum> value_in(const std::pair<Enum, std::string_view> (&table)[N], std::string_view wanted) {
  for (const auto& [value, text] : table)
    if (text == wanted) return value;
  return std::nullopt;
}

template <class State, size_t N>
constexpr bool edge_in(const std::pair<State, State> (&table)[N], State from, State to) {
  if (from == to) return true;
  for (const auto& edge : table)
    if (edge == std::pair(from, to)) return true;
  return false;
}

}  // namespace farshore
