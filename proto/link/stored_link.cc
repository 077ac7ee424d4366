#include "proto/link/stored_link.h"

#include "proto/link/internal/stored_json.h"

namespace farshore {
namespace {

constexpr int kStoredLinkVersion = 1;
constexpr std::string_view kStoredLinkName = "a stored link";

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

std::vector<Endpoint> bootstrap_from_json(const Json& json) {
  auto bootstrap = parse_bootstrap(json.get<std::string>());
  if (!bootstrap) throw BadStoredValue{std::move(bootstrap).error()};
  return *bootstrap;
}

LinkSpec spec_from_json(const Json& json) {
  LinkSpec spec;
  spec.name = json.at("name").get<std::string>();
  spec.source = bootstrap_from_json(json.at("source"));
  spec.target = bootstrap_from_json(json.at("target"));
  spec.source_cluster_id = ClusterId(json.at("source_cluster_id").get<std::string>());
  spec.target_cluster_id = ClusterId(json.at("target_cluster_id").get<std::string>());
  spec.source_incarnation = json.value("source_incarnation", "");
  spec.target_incarnation = json.value("target_incarnation", "");
  spec.mode = json.at("mode").get<std::string>() == name(LinkMode::kRelay) ? LinkMode::kRelay : LinkMode::kMirror;
  spec.topics = filters_from_json(json.at("topics"));
  spec.groups = filters_from_json(json.at("groups"));
  spec.topic_prefix = json.at("topic_prefix").get<std::string>();
  spec.group_sync = json.at("group_sync").get<bool>();
  spec.group_sync_interval_ms = json.at("group_sync_interval_ms").get<int64_t>();
  spec.topic_sync_interval_ms = json.at("topic_sync_interval_ms").get<int64_t>();
  spec.config_include = json.at("config_include").get<std::vector<std::string>>();
  spec.on_divergence =
      parse_on_divergence(json.at("on_divergence").get<std::string>()).value_or(OnDivergence::kTruncate);
  const bool stop_at_gap = json.value("on_retention_gap", "") == name(OnRetentionGap::kStop);
  spec.on_retention_gap = stop_at_gap ? OnRetentionGap::kStop : OnRetentionGap::kSkip;
  const bool targets = json.value("config_defaults", "") == name(ConfigDefaults::kTarget);
  spec.config_defaults = targets ? ConfigDefaults::kTarget : ConfigDefaults::kSource;
  return spec;
}

}  // namespace

std::string encode(const StoredLink& link) {
  const LinkSpec& spec = link.spec;
  Json json{
      {"v", kStoredLinkVersion},
      {"name", spec.name},
      {"id", link.id.to_string()},
      {"epoch", link.epoch.value()},
      {"state", name(link.state)},
      {"state_reason", link.state_reason},
      {"created_ms", link.created_ms},
      {"paused_topics", link.paused_topics},
      {"source", to_string(spec.source)},
      {"target", to_string(spec.target)},
      {"source_cluster_id", spec.source_cluster_id.value()},
      {"target_cluster_id", spec.target_cluster_id.value()},
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
      {"on_divergence", name(spec.on_divergence)},
  };
  if (!link.writer.empty()) json["writer"] = link.writer;
  // Written only where they are not the default: older gateways know no such fields.
  if (spec.on_retention_gap != OnRetentionGap::kSkip) json["on_retention_gap"] = name(spec.on_retention_gap);
  if (spec.config_defaults != ConfigDefaults::kSource) json["config_defaults"] = name(spec.config_defaults);
  return dump_stored(json);
}

Result<StoredLink> decode_stored_link(std::string_view text) {
  Json json;
  FARSHORE_CHECK(parse_stored(kStoredLinkName, text, kStoredLinkVersion, json));
  return read_json<StoredLink>(kStoredLinkName, json, [](const Json& from, StoredLink& link) {
    link.spec = spec_from_json(from);
    link.id = LinkId(uuid_from_json(from.at("id")));
    link.epoch = LinkEpoch(from.at("epoch").get<int64_t>());
    link.writer = from.value("writer", "");
    link.state = parse_link_state(from.at("state").get<std::string>()).value_or(LinkState::kFailed);
    link.state_reason = from.at("state_reason").get<std::string>();
    link.created_ms = from.at("created_ms").get<int64_t>();
    link.paused_topics = from.at("paused_topics").get<std::vector<std::string>>();
  });
}

}  // namespace farshore
