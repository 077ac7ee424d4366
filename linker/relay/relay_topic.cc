#include "linker/relay/relay_topic.h"

#include <nlohmann/json.hpp>

namespace farshore::linker {
namespace {

using Json = nlohmann::json;
constexpr int kFormatVersion = 1;
constexpr std::string_view kPrefix = "link/", kMiddle = "/topic/";

Json promotion_to_json(const control::v1::PromotionRecord& record) {
  Json partitions = Json::array();
  for (const auto& p : record.partitions())
    partitions.push_back({{"partition", p.partition()},
                          {"failover_offset", p.failover_offset()},
                          {"failover_target_offset", p.failover_target_offset()},
                          {"last_epoch", p.last_epoch()},
                          {"source_high_watermark", p.source_high_watermark()},
                          {"lost_at_least_records", p.lost_at_least_records()},
                          {"lost_at_least_ms", p.lost_at_least_ms()},
                          {"blind_window_ms", p.blind_window_ms()},
                          {"note", p.note()}});
  return Json{{"kind", record.kind()}, {"wall_ms", record.wall_ms()}, {"partitions", partitions}};
}

control::v1::PromotionRecord promotion_from_json(const Json& json) {
  control::v1::PromotionRecord record;
  record.set_kind(json.at("kind").get<std::string>());
  record.set_wall_ms(json.at("wall_ms").get<int64_t>());
  for (const auto& from : json.at("partitions")) {
    auto& p = *record.add_partitions();
    p.set_partition(from.at("partition").get<int32_t>());
    p.set_failover_offset(from.at("failover_offset").get<int64_t>());
    p.set_failover_target_offset(from.at("failover_target_offset").get<int64_t>());
    p.set_last_epoch(from.at("last_epoch").get<int32_t>());
    p.set_new_epoch(-1);  // Kafka's epochs are its own
    p.set_source_high_watermark(from.at("source_high_watermark").get<int64_t>());
    p.set_lost_at_least_records(from.at("lost_at_least_records").get<int64_t>());
    p.set_lost_at_least_ms(from.at("lost_at_least_ms").get<int64_t>());
    p.set_blind_window_ms(from.at("blind_window_ms").get<int64_t>());
    p.set_note(from.at("note").get<std::string>());
  }
  return record;
}

}  // namespace

std::string relay_topic_key(const std::string& link, const std::string& topic) {
  return std::string(kPrefix) + link + std::string(kMiddle) + topic;
}

std::optional<std::pair<std::string, std::string>> parse_relay_topic_key(std::string_view key) {
  if (!key.starts_with(kPrefix)) return std::nullopt;
  key.remove_prefix(kPrefix.size());
  const size_t middle = key.find('/');
  if (middle == std::string_view::npos || !key.substr(middle).starts_with(kMiddle)) return std::nullopt;
  return std::pair(std::string(key.substr(0, middle)), std::string(key.substr(middle + kMiddle.size())));
}

std::string encode(const RelayTopic& topic) {
  Json declared = Json::object();
  for (const auto& [key, value] : topic.declared) declared[key] = value ? Json(*value) : Json();
  Json json{{"v", kFormatVersion},
            {"link", topic.link.to_string()},
            {"topic", topic.topic},
            {"source_topic", topic.source_topic},
            {"id", topic.id.to_string()},
            {"source_id", topic.source_id.to_string()},
            {"source_cluster_id", topic.source_cluster_id},
            {"partitions", topic.partitions},
            {"caught_up", topic.caught_up},
            {"declared", declared},
            {"state", topic.promotion ? "STOPPED" : "ACTIVE"}};
  if (topic.promotion) json["promotion"] = promotion_to_json(*topic.promotion);
  return json.dump();
}

Result<RelayTopic> decode_relay_topic(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("v") || !json["v"].is_number_integer())
    return Error(ErrorCode::kCorrupt, "a stored relay topic is not a JSON object with a version");
  if (json["v"].get<int>() > kFormatVersion)
    return Error(ErrorCode::kUnsupported, "a stored relay topic has format version " + json["v"].dump() +
                                              "; this gateway knows up to " + std::to_string(kFormatVersion) +
                                              ": upgrade it");
  // The library reports a wrong type by throwing; here, at the edge, it becomes an Error.
  try {
    RelayTopic topic;
    FARSHORE_TRY(topic.link, Uuid::parse(json.at("link").get<std::string>()));
    topic.topic = json.at("topic").get<std::string>();
    topic.source_topic = json.at("source_topic").get<std::string>();
    FARSHORE_TRY(topic.id, Uuid::parse(json.at("id").get<std::string>()));
    FARSHORE_TRY(topic.source_id, Uuid::parse(json.at("source_id").get<std::string>()));
    topic.source_cluster_id = json.at("source_cluster_id").get<std::string>();
    topic.partitions = json.at("partitions").get<int32_t>();
    topic.caught_up = json.at("caught_up").get<bool>();
    for (const auto& [key, value] : json.at("declared").items())
      topic.declared[key] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
    if (json.contains("promotion")) topic.promotion = promotion_from_json(json["promotion"]);
    return topic;
  } catch (const Json::exception& e) {
    return Error(ErrorCode::kCorrupt, std::string("a stored relay topic: ") + e.what());
  }
}

}  // namespace farshore::linker
