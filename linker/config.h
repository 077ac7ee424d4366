// What farshore-gateway may be told, and where it comes from: gateway.yaml, then --set key=value, then the options that
// have a name of their own; the later wins. One table (gateway_schema) names every key with its type, its default and
// its help; an unknown key is refused with the nearest one named.
//
// The file is a YAML mapping of these keys. `fetch: {max.bytes: 1}` is the same as `fetch.max.bytes: 1`, a sequence
// the same as its parts joined by commas.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "linker/gateway.h"

namespace farshore::linker {

const ConfigSchema& gateway_schema();

// Sets what `text` (the file's content) says. kInvalidArgument: not YAML, not a mapping, a key twice, an unknown key, a
// value that it cannot have; the detail begins with `where` (the file's name) and the line.
Status parse_gateway_yaml(Config& config, std::string_view text, std::string_view where);
// "key=value"; nothing but a valid key and value is accepted.
Status set_gateway_key(Config& config, std::string_view setting);

// All of it, checked: what the program is composed of.
struct GatewaySettings {
  Endpoint api;
  std::optional<Endpoint> http;  // not set: no /metrics, /healthz, /readyz
  std::string data;              // directory; empty: the image of relay translations is in memory
  bool debug = false;
  GatewayOptions gateway;
};
// kInvalidArgument: `target` is missing, an address is none, limits that contradict each other.
Result<GatewaySettings> gateway_settings(const Config& config);

// Every key, its default and its meaning, for --help-config.
std::string gateway_config_help();

}  // namespace farshore::linker
