// The configuration of farshore-gateway: gateway.yaml, then --set key=value, then the options that have names of their
// own; the later one wins. One table (gateway_schema) names every key with its type, default and help. An unknown key
// is refused, and the nearest valid key is named.
//
// The file is a YAML mapping of these keys. `fetch: {max.bytes: 1}` equals `fetch.max.bytes: 1`; a sequence equals its
// items joined by commas.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "linker/gateway.h"

namespace farshore::linker {

const ConfigSchema& gateway_schema();

// Reads `text`, the content of the file. kInvalidArgument: not YAML, not a mapping, a key that is set twice, an unknown
// key, an invalid value; the detail begins with `where` (the file's name) and the line.
Status parse_gateway_yaml(Config& config, std::string_view text, std::string_view where);
// `setting` is "key=value". kInvalidArgument: an unknown key or an invalid value.
Status set_gateway_key(Config& config, std::string_view setting);

// The whole configuration, checked.
struct GatewaySettings {
  Endpoint api;
  std::optional<Endpoint> http;  // not set: no /metrics, /healthz, /readyz
  std::string data;              // directory; empty: the image of relay translations is in memory
  bool debug = false;
  GatewayOptions gateway;
};
// kInvalidArgument: `target` is missing, an address is invalid, or limits contradict each other.
Result<GatewaySettings> gateway_settings(const Config& config);

// Every key, its default and its meaning, for --help-config.
std::string gateway_config_help();

}  // namespace farshore::linker
