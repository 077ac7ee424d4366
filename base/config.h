// Properties as Kafka writes them (server.properties): declared keys with types, defaults and one line of help; an
// unknown key is refused with the nearest declared one named.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace farshore {

enum class ConfigType : uint8_t { kBool, kInt, kLong, kDouble, kString, kList };

struct ConfigKey {
  std::string_view name;
  ConfigType type;
  std::string_view default_value;
  std::string_view help;
  double low = -1e300, high = 1e300;           // inclusive, for numbers
  std::vector<std::string_view> allowed = {};  // for strings: empty = anything
};

// What may be configured: a table, known at compile time of the room that owns it.
class ConfigSchema {
 public:
  explicit ConfigSchema(std::vector<ConfigKey> keys);
  const ConfigKey* find(std::string_view name) const;
  std::string_view nearest(std::string_view name) const;  // smallest edit distance
  const std::vector<ConfigKey>& keys() const { return keys_; }
  // kInvalidArgument: unknown key (nearest named), wrong type or out of range (what is allowed named).
  Status check(std::string_view name, std::string_view value) const;

 private:
  std::vector<ConfigKey> keys_;
};

// Every key of the table, for --help-config, in the form that docs/generate_configuration reads:
//   name (type, default VALUE, what else is allowed)
//       what it does
std::string help_text(const ConfigSchema& schema);

class Config {
 public:
  explicit Config(const ConfigSchema& schema) : schema_(&schema) {}
  Status set(std::string name, std::string value);
  // "key=value" lines, '#' comments, as java.util.Properties without its exotic escapes. `where` names the file in
  // errors.
  Status parse(std::string_view text, std::string_view where);
  bool is_set(std::string_view name) const { return values_.count(std::string(name)) != 0; }
  void unset(std::string_view name) { values_.erase(std::string(name)); }
  // The value or its default. The key must be declared (ensured).
  std::string text(std::string_view name) const;
  int64_t number(std::string_view name) const;
  double real(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;  // comma-separated, trimmed
  const std::map<std::string, std::string>& values() const { return values_; }
  const ConfigSchema& schema() const { return *schema_; }

 private:
  const ConfigSchema* schema_;
  std::map<std::string, std::string> values_;
};

}  // namespace farshore
