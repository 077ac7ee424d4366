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

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

Error unknown_property(const std::string& key) {
  std::string known;
  for (const auto& property : link_property_schema().keys())
    known += (known.empty() ? "" : ", ") + std::string(property.name);
  return invalid("unknown link property '" + key.substr(0, 256) + "'; did you mean '" +
                 std::string(link_property_schema().nearest(key)) + "'? Known: " + known);
}

}  // namespace

const ConfigSchema& link_property_schema() {
  using enum ConfigType;
  static const std::string followed = joined(default_config_include());
  static const ConfigSchema schema({
      {"topics", kList, "",
       "Topics of the source that are mirrored: 'name', 'prefix*' or '*'; '!' before one excludes it."},
      {"groups", kList, "*", "Consumer groups whose committed offsets are copied; written as topics."},
      {"group.sync.enable", kBool, "true", "Whether committed offsets of consumer groups are copied."},
      {"group.sync.interval.ms", kLong, "1000", "How often they are copied.", kIntervalMinMs, kIntervalMaxMs},
      {"topic.sync.interval.ms", kLong, "5000", "How often the source is asked for new topics, partitions and configs.",
       kIntervalMinMs, kIntervalMaxMs},
      {"on.divergence",
       kString,
       "truncate",
       "What happens if the source loses records that it had acknowledged: truncate (the mirror is cut, too; but if "
       "nothing would be left of a partition, the topic becomes FAILED), truncate-all (the mirror is cut, even if "
       "nothing is left) or stop (the topic becomes FAILED). A relay can only stop.",
       -1e300,
       1e300,
       {"truncate", "truncate-all", "stop"}},
      {"on.retention.gap",
       kString,
       "skip",
       "What happens if the source deletes records before they are mirrored: skip (the mirror goes on behind them) or "
       "stop (the topic becomes FAILED). Either way the lost range is shown.",
       -1e300,
       1e300,
       {"skip", "stop"}},
      {"source.bootstrap", kList, "", "New addresses of the same source cluster: HOST:PORT[,HOST:PORT...]."},
      {"topic.config.include", kList, followed, "Configs of topics that follow the source."},
      {"topic.config.defaults",
       kString,
       "source",
       "Where topics at the target get retention, cleanup policy, largest message and timestamp type from, if the "
       "source's topic does not set them: source (the values that hold there) or target (the target's own defaults). "
       "What differs is shown as drift.",
       -1e300,
       1e300,
       {"source", "target"}},
  });
  return schema;
}

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
    const auto what = parse_on_divergence(value);
    if (!what) return invalid(key + " takes truncate, truncate-all or stop, not '" + value + "'");
    if (*what != OnDivergence::kStop && spec.mode == LinkMode::kRelay)
      return invalid("on.divergence of a relay is stop: a Kafka target cannot be truncated");
    spec.on_divergence = *what;
  } else if (key == "on.retention.gap") {
    if (value != "skip" && value != "stop") return invalid(key + " takes skip or stop, not '" + value + "'");
    spec.on_retention_gap = value == "stop" ? OnRetentionGap::kStop : OnRetentionGap::kSkip;
  } else if (key == "topic.config.defaults") {
    if (value != "source" && value != "target") return invalid(key + " takes source or target, not '" + value + "'");
    spec.config_defaults = value == "target" ? ConfigDefaults::kTarget : ConfigDefaults::kSource;
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
