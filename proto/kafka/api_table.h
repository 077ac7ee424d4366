// The table of all APIs that have a schema, generated from schema/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace farshore::kafka {

struct ApiInfo {
  int16_t key;
  std::string_view name;
  int16_t min_version, max_version;  // that our codec encodes and decodes
  // That a broker announces. Lower than min_version if Kafka announces versions that it refuses: Produce 0-2, because
  // clients switch features on by the minimum.
  int16_t advertised_min_version;
  int16_t flexible_from;  // first flexible version; -1: none
  bool is_private;        // only Farshore's programs announce and use it

  constexpr bool has(int16_t version) const { return version >= min_version && version <= max_version; }
  constexpr bool flexible(int16_t version) const { return flexible_from >= 0 && version >= flexible_from; }
  constexpr int16_t request_header_version(int16_t version) const { return flexible(version) ? 2 : 1; }
  // An ApiVersions response always has header 0, so that a client of any version can read the error (KIP-511).
  constexpr int16_t response_header_version(int16_t version) const { return key != 18 && flexible(version) ? 1 : 0; }
};

inline constexpr int16_t kPrivateApiKeysFrom = 10000;

std::span<const ApiInfo> apis();         // ascending by key
const ApiInfo* find_api(int16_t key);    // nullptr: there is no schema of it
std::string_view api_name(int16_t key);  // "unknown" without a schema

}  // namespace farshore::kafka
