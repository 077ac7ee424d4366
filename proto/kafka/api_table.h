// Every API that we have a schema of, as one table (generated from schema/).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace farshore::kafka {

struct ApiInfo {
  int16_t key;
  std::string_view name;
  int16_t min_version, max_version;  // what the codec can do
  // What a broker says it can do: lower where Kafka advertises versions that it refuses (Produce 0-2, because real
  // clients switch features on by the minimum).
  int16_t advertised_min_version;
  int16_t flexible_from;  // first flexible version; -1: none
  bool is_private;        // ours; shown to and used by Farshore's own programs only

  constexpr bool has(int16_t version) const { return version >= min_version && version <= max_version; }
  constexpr bool flexible(int16_t version) const { return flexible_from >= 0 && version >= flexible_from; }
  constexpr int16_t request_header_version(int16_t version) const { return flexible(version) ? 2 : 1; }
  // ApiVersions answers with header 0 always, so that a client that guessed too high can read the error (KIP-511).
  constexpr int16_t response_header_version(int16_t version) const { return key != 18 && flexible(version) ? 1 : 0; }
};

inline constexpr int16_t kPrivateApiKeysFrom = 10000;

std::span<const ApiInfo> apis();         // ascending by key
const ApiInfo* find_api(int16_t key);    // nullptr: none of ours
std::string_view api_name(int16_t key);  // "unknown" where there is none

}  // namespace farshore::kafka
