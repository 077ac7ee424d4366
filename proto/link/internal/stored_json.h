// Reading and writing the JSON of stored values. The JSON library reports a wrong type by throwing; that becomes an
// Error here and leaves this room in no other way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

using Json = nlohmann::json;

struct BadStoredValue {  // thrown inside read_json() only
  Error error;
};

// Lets `read` take the fields out of `json`. kCorrupt: what `read` misses or cannot use; the detail begins with `what`.
template <class T, class Read>
Result<T> read_json(std::string_view what, const Json& json, Read read) {
  try {
    T value;
    read(json, value);
    return value;
  } catch (const Json::exception& problem) {
    return Error(ErrorCode::kCorrupt, std::string(what) + ": " + problem.what());
  } catch (const BadStoredValue& problem) {
    return Error(problem.error.code, std::string(what) + ": " + problem.error.detail);
  }
}

inline Uuid uuid_from_json(const Json& json) {
  auto id = Uuid::parse(json.get<std::string>());
  if (!id) throw BadStoredValue{std::move(id).error()};
  return *id;
}

// Parses a stored value: an object with a format version `v`. kCorrupt: it is none; kUnsupported: its version is above
// `version_max`, so a newer program wrote it. (`Json` converts to anything, so it cannot be in a Result.)
Status parse_stored(std::string_view what, std::string_view text, int version_max, Json& json);

// Names and reasons come from other clusters and may be any bytes. What is no UTF-8 is replaced, so that a value can
// always be stored.
std::string dump_stored(const Json& json);

}  // namespace farshore
