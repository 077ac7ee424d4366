#include "linker/link_spec.h"

#include <algorithm>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/config.h"

namespace farshore::linker {
namespace {

using Json = nlohmann::json;
constexpr int kFormatVersion = 1;
constexpr int64_t kIntervalMinMs = 100, kIntervalMaxMs = 24LL * 3600 * 1000;
constexpr size_t kNameBytesMax = 128, kPrefixBytesMax = 64, kFiltersMax = 1024;

bool legal_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

Error invalid(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

Status check_name(std::string_view what, std::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max)
    return invalid(std::string(what) + " is longer than " + std::to_string(bytes_max) + " characters");
  for (char c : text)
    if (!legal_name_character(c))
      return invalid(std::string(what) + " '" + std::string(text) +
                     "' may hold only letters, digits, '.', '_' and '-'");
  return ok();
}

Result<int64_t> parse_interval(const std::string& key, const std::string& value) {
  int64_t number = 0;
  auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failed != std::errc() || end != value.data() + value.size() || number < kIntervalMinMs || number > kIntervalMaxMs)
    return invalid(key + " takes milliseconds from " + std::to_string(kIntervalMinMs) + " to " +
                   std::to_string(kIntervalMaxMs) + ", not '" + value + "'");
  return number;
}

Result<std::vector<Filter>> parse_filters(const std::string& text) {
  std::vector<Filter> filters;
  size_t at = 0;
  while (at <= text.size()) {
    size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) {
      FARSHORE_TRY(auto filter, parse_filter(std::string_view(text).substr(at, comma - at)));
      filters.push_back(std::move(filter));
    }
    at = comma + 1;
  }
  return filters;
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

Json filters_to_json(const std::vector<Filter>& filters) {
  Json out = Json::array();
  for (const auto& filter : filters) out.push_back(to_string(filter));
  return out;
}

std::vector<Filter> filters_from_json(const Json& json) {
  std::vector<Filter> filters;
  for (const auto& text : json)
    if (auto filter = parse_filter(text.get<std::string>())) filters.push_back(std::move(*filter));
  return filters;
}

}  // namespace

const char* name(LinkMode mode) { return mode == LinkMode::kMirror ? "mirror" : "relay"; }

const std::vector<std::string>& default_config_include() {
  static const std::vector<std::string> keys{
      "cleanup.policy",    "retention.ms",          "retention.bytes",          "segment.bytes",
      "segment.ms",        "compression.type",      "message.timestamp.type",   "delete.retention.ms",
      "max.message.bytes", "min.compaction.lag.ms", "min.cleanable.dirty.ratio"};
  return keys;
}

bool follows(const LinkSpec& spec, const std::string& key) {
  const auto& keys = spec.config_include.empty() ? default_config_include() : spec.config_include;
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

Status validate(const LinkSpec& spec) {
  if (spec.name.empty()) return invalid("a link needs a name");
  FARSHORE_CHECK(check_name("link name", spec.name, kNameBytesMax));
  FARSHORE_CHECK(check_name("topic prefix", spec.topic_prefix, kPrefixBytesMax));
  if (spec.source.empty()) return invalid("--source needs the address of a broker of the source, host:port");
  if (spec.target.empty()) return invalid("--target needs the address of a broker of the target, host:port");
  for (const auto& source : spec.source)
    for (const auto& target : spec.target)
      if (source == target)
        return invalid("source and target are both " + source.to_string() + ": a link joins two clusters");
  if (spec.topics.empty()) return invalid("--topics selects nothing: give names, 'prefix*', or '*' for everything");
  if (spec.topics.size() > kFiltersMax || spec.groups.size() > kFiltersMax)
    return invalid("more than " + std::to_string(kFiltersMax) + " filters");
  return ok();
}

std::string to_string(const std::vector<Endpoint>& bootstrap) {
  std::string text;
  for (const auto& endpoint : bootstrap) {
    if (!text.empty()) text += ',';
    text += endpoint.to_string();
  }
  return text;
}

std::string target_topic_name(const LinkSpec& spec, std::string_view source_topic) {
  return spec.topic_prefix + std::string(source_topic);
}

Status check_incarnation(std::string_view role, std::string_view cluster_id, std::string_view expected,
                         std::string_view found) {
  if (expected.empty() || found.empty() || expected == found) return ok();
  return Error(ErrorCode::kConflict,
               std::string(role) + ": cluster " + std::string(cluster_id) +
                   " was wiped: its metadata is new (incarnation " + std::string(found) + ", the link was made with " +
                   std::string(expected) +
                   "). Bring the old data back and resume the link, or delete the link and make it anew");
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
    if (value != "truncate" && value != "stop") return invalid(key + " takes truncate or stop, not '" + value + "'");
    if (value == "truncate" && spec.mode == LinkMode::kRelay)
      return invalid("on.divergence of a relay is stop: a Kafka target cannot be truncated");
    spec.on_divergence = value == "stop" ? OnDivergence::kStop : OnDivergence::kTruncate;
  } else if (key == "source.bootstrap") {
    FARSHORE_TRY(spec.source, parse_bootstrap(value));
  } else if (key == "topic.config.include") {
    spec.config_include.clear();
    for (size_t at = 0; at < value.size();) {
      size_t comma = std::min(value.find(',', at), value.size());
      if (comma > at) spec.config_include.push_back(value.substr(at, comma - at));
      at = comma + 1;
    }
  } else if (key == "topic.prefix" || key == "mode" || key == "name") {
    return invalid(key + " cannot change after creation: the mirrors that exist carry it");
  } else {
    return unknown_property(key);
  }
  return validate(spec);
}

std::string encode(const StoredLink& link) {
  const LinkSpec& spec = link.spec;
  Json json{
      {"v", kFormatVersion},
      {"name", spec.name},
      {"id", link.id.to_string()},
      {"epoch", link.epoch.value()},
      {"state", name(link.state)},
      {"state_reason", link.state_reason},
      {"created_ms", link.created_ms},
      {"paused_topics", link.paused_topics},
      {"source", to_string(spec.source)},
      {"target", to_string(spec.target)},
      {"source_cluster_id", spec.source_cluster_id},
      {"target_cluster_id", spec.target_cluster_id},
      {"source_incarnation", spec.source_incarnation},
      {"target_incarnation", spec.target_incarnation},
      {"mode", name(spec.mode)},
      {"topics", filters_to_json(spec.topics)},
      {"groups", filters_to_json(spec.groups)},
      {"topic_prefix", spec.topic_prefix},
      {"group_sync", spec.group_sync},
      {"group_sync_interval_ms", spec.group_sync_interval_ms},
      {"topic_sync_interval_ms", spec.topic_sync_interval_ms},
      {"config_include", spec.config_include},
      {"on_divergence", spec.on_divergence == OnDivergence::kStop ? "stop" : "truncate"},
  };
  // What a peer said may be any bytes: they are replaced, not thrown over.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<StoredLink> decode_stored_link(std::string_view text) {
  // No number of ours has a fraction: such a field is left out, and missed below. (As an integer it could be
  // undefined.)
  auto no_fractions = [](int, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::value || !parsed.is_number_float();
  };
  Json json = Json::parse(text, no_fractions, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("v") || !json["v"].is_number_integer())
    return Error(ErrorCode::kCorrupt, "a stored link is not a JSON object with a version");
  if (json["v"].get<int>() > kFormatVersion)
    return Error(ErrorCode::kUnsupported, "a stored link has format version " + json["v"].dump() +
                                              "; this gateway knows up to " + std::to_string(kFormatVersion) +
                                              ": upgrade it");
  // The library reports a wrong type by throwing; here, at the edge, it becomes an Error.
  try {
    StoredLink link;
    LinkSpec& spec = link.spec;
    spec.name = json.at("name").get<std::string>();
    FARSHORE_TRY(link.id, Uuid::parse(json.at("id").get<std::string>()));
    link.epoch = LinkEpoch(json.at("epoch").get<int64_t>());
    link.state = parse_link_state(json.at("state").get<std::string>()).value_or(LinkState::kFailed);
    link.state_reason = json.at("state_reason").get<std::string>();
    link.created_ms = json.at("created_ms").get<int64_t>();
    link.paused_topics = json.at("paused_topics").get<std::vector<std::string>>();
    FARSHORE_TRY(spec.source, parse_bootstrap(json.at("source").get<std::string>()));
    FARSHORE_TRY(spec.target, parse_bootstrap(json.at("target").get<std::string>()));
    spec.source_cluster_id = json.at("source_cluster_id").get<std::string>();
    spec.target_cluster_id = json.at("target_cluster_id").get<std::string>();
    spec.source_incarnation = json.value("source_incarnation", "");
    spec.target_incarnation = json.value("target_incarnation", "");
    spec.mode = json.at("mode").get<std::string>() == "relay" ? LinkMode::kRelay : LinkMode::kMirror;
    spec.topics = filters_from_json(json.at("topics"));
    spec.groups = filters_from_json(json.at("groups"));
    spec.topic_prefix = json.at("topic_prefix").get<std::string>();
    spec.group_sync = json.at("group_sync").get<bool>();
    spec.group_sync_interval_ms = json.at("group_sync_interval_ms").get<int64_t>();
    spec.topic_sync_interval_ms = json.at("topic_sync_interval_ms").get<int64_t>();
    spec.config_include = json.at("config_include").get<std::vector<std::string>>();
    bool stop = json.at("on_divergence").get<std::string>() == "stop";
    spec.on_divergence = stop ? OnDivergence::kStop : OnDivergence::kTruncate;
    return link;
  } catch (const Json::exception& e) {
    return Error(ErrorCode::kCorrupt, std::string("a stored link: ") + e.what());
  }
}

}  // namespace farshore::linker
