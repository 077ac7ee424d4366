#include "proto/link/internal/stored_json.h"

namespace farshore {

Status parse_stored(std::string_view what, std::string_view text, int version_max, Json& json) {
  // No stored number has a fraction. A field that has one is dropped here and missed by the reader: converting it to an
  // integer could be undefined.
  auto no_fractions = [](int, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::value || !parsed.is_number_float();
  };
  json = Json::parse(text, no_fractions, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("v") || !json["v"].is_number_integer())
    return Error(ErrorCode::kCorrupt, std::string(what) + " is not a JSON object with a version");
  if (json["v"].get<int64_t>() > version_max)
    return Error(ErrorCode::kUnsupported, std::string(what) + " has format version " + json["v"].dump() +
                                              "; this program knows up to " + std::to_string(version_max) +
                                              ": upgrade it");
  return ok();
}

std::string dump_stored(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace farshore
