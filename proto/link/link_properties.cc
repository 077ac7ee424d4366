#include "proto/link/link_properties.h"

#include <algorithm>
#include <charconv>

#include "base/config.h"

namespace farshore {
namespace {

constexpr int64_t kIntervalMinMs = 100, kIntervalMaxMs = 24LL * 3600 * 1000;

Error invalid(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

Result<int64_t> parse_interval(const std::string& key, const std::string& value) {
  int64_t number = 0;
  auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failed != std::errc() || end != value.data() + value.size() || number < kIntervalMinMs || number > kIntervalMaxMs)
    return invalid(key + " takes milliseconds from " + std::to_string(kIntervalMinMs) + " to " +
                   std::to_string(kIntervalMaxMs) + ", not '" + value + "'");
  return number;
}

std::vector<std::string> split(const std::string& text) {  // at commas; empty parts are skipped
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

// The keys of set_property(), for naming the nearest.
const ConfigSchema& property_names() {
  using enum ConfigType;
  static const ConfigSchema schema({
      {"topics", kList, "", "Names, 'prefix*', '*', '!excluded'."},
      {"groups", kList, "*", "Consumer groups whose offsets follow."},
      {"group.sync.enable", kBool, "true", "Whether they do."},
      {"group.sync.interval.ms", kLong, "1000", "How often."},
      {"topic.sync.interval.ms", kLong, "5000", "How often topics and configs of the source are looked at."},
      {"on.divergence", kString, "truncate", "If the source loses acknowledged data: truncate or stop."},
      {"source.bootstrap", kString, "", "Addresses of the same source."},
      {"topic.config.include", kList, "", "Topic configs that follow the source."},
  });
  return schema;
}

Error unknown_property(const std::string& key) {
  std::string known;
  for (const auto& property : property_names().keys())
    known += (known.empty() ? "" : ", ") + std::string(property.name);
  return invalid("unknown link property '" + key.substr(0, 256) + "'; did you mean '" +
                 std::string(property_names().nearest(key)) + "'? Known: " + known);
}

}  // namespace

Status set_property(LinkSpec& spec, const std::string& key, const std::string& value) {
  if (key == "topics" || key == "groups") {
    FARSHORE_TRY(auto filters, parse_filters(value));
    if (key == "topics" && filters.empty()) return invalid("topics would select nothing");
    (key == "topics" ? spec.topics : spec.groups) = std::move(filters);
  } else if (key == "group.sync.enable") {
    if (value != "true" && value != "false") return invalid(key + " takes true or false, not '" + value + "'");
    spec.group_sync = value == "true";
  } else if (key == "group.sync.interval.ms") {
    FARSHORE_TRY(spec.group_sync_interval_ms, parse_interval(key, value));
  } else if (key == "topic.sync.interval.ms") {
    FARSHORE_TRY(spec.topic_sync_interval_ms, parse_interval(key, value));
  } else if (key == "on.divergence") {
    if (value != "truncate" && value != "stop") return invalid(key + " takes truncate or stop, not '" + value + "'");
    if (value == "truncate" && spec.mode == LinkMode::kRelay)
      return invalid("on.divergence of a relay is stop: a Kafka target cannot be truncated");
    spec.on_divergence = value == "stop" ? OnDivergence::kStop : OnDivergence::kTruncate;
  } else if (key == "source.bootstrap") {
    FARSHORE_TRY(spec.source, parse_bootstrap(value));
  } else if (key == "topic.config.include") {
    spec.config_include = split(value);
  } else if (key == "topic.prefix" || key == "mode" || key == "name") {
    return invalid(key + " cannot change after creation: the mirrors that exist carry it");
  } else {
    return unknown_property(key);
  }
  return validate(spec);
}

}  // namespace farshore
