#include "base/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/ensure.h"
#include "base/nearest.h"

namespace farshore {
namespace {

constexpr std::string_view kBlanks = " \t\r\f";

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);  // as Java reads numbers
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string number_text(double value) {
  char text[40];
  int n = value == std::floor(value) && std::abs(value) < 1e19 ? std::snprintf(text, sizeof text, "%.0f", value)
                                                               : std::snprintf(text, sizeof text, "%g", value);
  return std::string(text, static_cast<size_t>(n));
}

const char* type_name(ConfigType type) {  // Kafka's words
  switch (type) {
    case ConfigType::kBool:
      return "boolean";
    case ConfigType::kInt:
      return "int";
    case ConfigType::kLong:
      return "long";
    case ConfigType::kDouble:
      return "double";
    case ConfigType::kString:
      return "string";
    case ConfigType::kList:
      return "list";
  }
  return "?";
}

std::string range_text(const ConfigKey& key) {
  std::string text;
  if (key.low > -1e300) text += ", at least " + number_text(key.low);
  if (key.high < 1e300) text += ", at most " + number_text(key.high);
  return text;
}

// One key or value with java.util.Properties' plain escapes taken out.
Result<std::string> unescaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result.push_back(text[i]);
      continue;
    }
    switch (char c = text[++i]) {
      case 't':
        result.push_back('\t');
        break;
      case 'n':
        result.push_back('\n');
        break;
      case 'r':
        result.push_back('\r');
        break;
      case 'f':
        result.push_back('\f');
        break;
      case 'u':
        return Error(ErrorCode::kInvalidArgument, "\\uXXXX is not understood: write the character in UTF-8");
      default:
        result.push_back(c);
    }
  }
  return result;
}

bool continues(std::string_view line) {  // ends with an odd number of backslashes
  size_t count = 0;
  while (count < line.size() && line[line.size() - 1 - count] == '\\') ++count;
  return count % 2 == 1;
}

}  // namespace

ConfigSchema::ConfigSchema(std::vector<ConfigKey> keys) : keys_(std::move(keys)) {
  std::sort(keys_.begin(), keys_.end(), [](const ConfigKey& a, const ConfigKey& b) { return a.name < b.name; });
  for (size_t i = 1; i < keys_.size(); ++i)
    ensure(keys_[i - 1].name != keys_[i].name, "a config key is declared twice");
}

const ConfigKey* ConfigSchema::find(std::string_view name) const {
  auto it = std::lower_bound(keys_.begin(), keys_.end(), name,
                             [](const ConfigKey& key, std::string_view n) { return key.name < n; });
  return it != keys_.end() && it->name == name ? &*it : nullptr;
}

std::string_view ConfigSchema::nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& key : keys_) names.push_back(key.name);
  return farshore::nearest(name, names);
}

Status ConfigSchema::check(std::string_view name, std::string_view value) const {
  const ConfigKey* key = find(name);
  if (!key) {
    std::string text = "unknown configuration key '" + std::string(name.substr(0, 256)) + "'";
    if (auto near = nearest(name); !near.empty()) text += "; did you mean '" + std::string(near) + "'?";
    return Error(ErrorCode::kInvalidArgument, std::move(text));
  }
  auto bad = [&](std::string expected) {
    return Error(ErrorCode::kInvalidArgument, std::string(name) + "='" + std::string(value.substr(0, 256)) +
                                                  "' is not allowed: expected " + expected);
  };
  auto within = [&](double number) { return number >= key->low && number <= key->high; };
  switch (key->type) {
    case ConfigType::kBool: {
      auto text = lower(value);
      if (text != "true" && text != "false") return bad("true or false");
      break;
    }
    case ConfigType::kInt: {
      auto number = parse_number<int32_t>(value);
      if (!number || !within(*number)) return bad("a whole number of 32 bits" + range_text(*key));
      break;
    }
    case ConfigType::kLong: {
      auto number = parse_number<int64_t>(value);
      if (!number || !within(static_cast<double>(*number))) return bad("a whole number of 64 bits" + range_text(*key));
      break;
    }
    case ConfigType::kDouble: {
      auto number = parse_number<double>(value);
      if (!number || !std::isfinite(*number) || !within(*number)) return bad("a number" + range_text(*key));
      break;
    }
    case ConfigType::kString:
    case ConfigType::kList: {
      if (key->allowed.empty()) break;
      std::string choices;
      for (auto choice : key->allowed) choices += (choices.empty() ? "" : ", ") + std::string(choice);
      auto allowed = [key](std::string_view text) {
        return std::find(key->allowed.begin(), key->allowed.end(), text) != key->allowed.end();
      };
      if (key->type == ConfigType::kString) {
        if (!allowed(value)) return bad("one of " + choices);
        break;
      }
      for (size_t at = 0; at <= value.size();) {
        auto comma = std::min(value.find(',', at), value.size());
        auto item = trimmed(value.substr(at, comma - at));
        if (!item.empty() && !allowed(item)) return bad("a list of " + choices);
        at = comma + 1;
      }
      break;
    }
  }
  return ok();
}

std::string help_text(const ConfigSchema& schema) {
  std::string text;
  for (const auto& key : schema.keys()) {
    text += std::string(key.name) + " (" + type_name(key.type) + ", ";
    text += key.default_value.empty() ? "not set" : "default " + std::string(key.default_value);
    text += range_text(key);
    for (size_t i = 0; i < key.allowed.size(); ++i) text += (i == 0 ? ", " : " or ") + std::string(key.allowed[i]);
    text += ")\n    " + std::string(key.help) + "\n";
  }
  return text;
}

Status Config::set(std::string name, std::string value) {
  FARSHORE_CHECK(schema_->check(name, value));
  values_[std::move(name)] = std::move(value);
  return ok();
}

Status Config::parse(std::string_view text, std::string_view where) {
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    std::string line;
    size_t first = 0;
    for (bool more = true; more && at < text.size();) {
      auto end = std::min(text.find('\n', at), text.size());
      auto part = text.substr(at, end - at);
      if (part.ends_with('\r')) part.remove_suffix(1);
      at = end + 1;
      ++number;
      if (first == 0) first = number;
      auto start = std::min(part.find_first_not_of(kBlanks), part.size());
      part.remove_prefix(start);
      bool comment = line.empty() && (part.starts_with('#') || part.starts_with('!'));
      more = !comment && continues(part);
      if (more) part.remove_suffix(1);
      if (!comment) line.append(part);
    }
    if (line.empty()) continue;
    std::string place = std::string(where) + ":" + std::to_string(first);
    size_t split = 0;
    while (split < line.size() && std::string_view("=: \t\f").find(line[split]) == std::string_view::npos)
      split += line[split] == '\\' ? 2 : 1;
    split = std::min(split, line.size());
    std::string_view rest = std::string_view(line).substr(split);
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.starts_with('=') || rest.starts_with(':')) {
      rest.remove_prefix(1);
      rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    } else if (rest.empty()) {
      return Error(ErrorCode::kInvalidArgument, "'" + line.substr(0, 256) + "' is not key=value").in(place);
    }
    auto name = unescaped(std::string_view(line).substr(0, split));
    if (!name) return std::move(name).error().in(place);
    auto value = unescaped(trimmed(rest));
    if (!value) return std::move(value).error().in(place);
    if (auto status = set(std::move(*name), std::move(*value)); !status) return std::move(status).error().in(place);
  }
  return ok();
}

std::string Config::text(std::string_view name) const {
  const ConfigKey* key = schema_->find(name);
  ensure(key, "an undeclared configuration key is read");
  auto it = values_.find(std::string(name));
  return it == values_.end() ? std::string(key->default_value) : it->second;
}

int64_t Config::number(std::string_view name) const {
  auto number = parse_number<int64_t>(text(name));
  ensure(number, "a configuration key without a whole number is read as one");
  return *number;
}

double Config::real(std::string_view name) const {
  auto number = parse_number<double>(text(name));
  ensure(number, "a configuration key without a number is read as one");
  return *number;
}

bool Config::flag(std::string_view name) const { return lower(text(name)) == "true"; }

std::vector<std::string> Config::list(std::string_view name) const {
  std::vector<std::string> items;
  std::string all = text(name);
  for (size_t at = 0; at <= all.size();) {
    auto comma = std::min(all.find(',', at), all.size());
    auto item = trimmed(std::string_view(all).substr(at, comma - at));
    if (!item.empty()) items.emplace_back(item);
    at = comma + 1;
  }
  return items;
}

}  // namespace farshore
