#include "proto/link/relay_topic.h"

#include "proto/link/internal/stored_json.h"
#include "proto/link/mirror_state.h"
#include "proto/link/promotion_json.h"

namespace farshore {
namespace {

// 2: a partition's end is not known yet. Older programs would read its offsets -1 as "nothing was relayed". 1: else.
constexpr int kRelayTopicVersionMax = 2;
constexpr std::string_view kRelayTopicName = "a stored relay topic";

int version_of(const RelayTopic& topic) {
  if (topic.promotion)
    for (const auto& end : topic.promotion->partitions)
      if (end.state != EndState::kDone) return 2;
  return 1;
}

PromotionRecord promotion_from_json(const Json& json) {
  auto promotion = relay_promotion_from_json(json);
  if (!promotion) throw BadStoredValue{std::move(promotion).error()};
  return std::move(*promotion);
}

}  // namespace

std::string encode(const RelayTopic& topic) {
  Json declared = Json::object();
  for (const auto& [key, value] : topic.declared) declared[key] = value ? Json(*value) : Json();
  Json json{{"v", version_of(topic)},
            {"link", topic.link.to_string()},
            {"topic", topic.topic},
            {"source_topic", topic.source_topic},
            {"id", topic.id.to_string()},
            {"source_id", topic.source_id.to_string()},
            {"source_cluster_id", topic.source_cluster_id.value()},
            {"partitions", topic.partitions},
            {"caught_up", topic.caught_up},
            {"declared", std::move(declared)},
            {"state", name(topic.promotion ? MirrorState::kStopped : MirrorState::kActive)}};
  for (const GivenUpRange& each : topic.given_up)
    json["given_up"].push_back(Json{{"partition", each.partition},
                                    {"from", each.from.value()},
                                    {"to", each.to.value()},
                                    {"wall_ms", each.wall_ms},
                                    {"why", each.why}});
  if (topic.forgets)
    json["forgets"] =
        Json{{"source_id", topic.forgets->source_id.to_string()}, {"partitions", topic.forgets->partitions}};
  if (topic.promotion) json["promotion"] = relay_promotion_to_json(*topic.promotion);
  for (const auto& record : topic.promotions_before)
    json["promotions_before"].push_back(relay_promotion_to_json(record));
  return dump_stored(json);
}

Result<RelayTopic> decode_relay_topic(std::string_view text) {
  Json json;
  FARSHORE_CHECK(parse_stored(kRelayTopicName, text, kRelayTopicVersionMax, json));
  return read_json<RelayTopic>(kRelayTopicName, json, [](const Json& from, RelayTopic& topic) {
    topic.link = LinkId(uuid_from_json(from.at("link")));
    topic.topic = from.at("topic").get<std::string>();
    topic.source_topic = from.at("source_topic").get<std::string>();
    topic.id = TargetTopicId(uuid_from_json(from.at("id")));
    topic.source_id = SourceTopicId(uuid_from_json(from.at("source_id")));
    topic.source_cluster_id = ClusterId(from.at("source_cluster_id").get<std::string>());
    topic.partitions = from.at("partitions").get<int32_t>();
    topic.caught_up = from.at("caught_up").get<bool>();
    for (const auto& [key, value] : from.at("declared").items())
      topic.declared[key] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
    if (from.contains("given_up")) {
      for (const Json& each : from.at("given_up"))
        topic.given_up.push_back({each.at("partition").get<int32_t>(), SourceOffset(each.at("from").get<int64_t>()),
                                  SourceOffset(each.at("to").get<int64_t>()), each.at("wall_ms").get<int64_t>(),
                                  each.at("why").get<std::string>()});
    }
    if (from.contains("forgets"))
      topic.forgets = FormerRelay{SourceTopicId(uuid_from_json(from.at("forgets").at("source_id"))),
                                  from.at("forgets").at("partitions").get<int32_t>()};
    if (from.contains("promotions_before"))
      for (const Json& record : from.at("promotions_before"))
        add_promotion(topic.promotions_before, promotion_from_json(record));
    if (from.contains("promotion")) topic.promotion = promotion_from_json(from.at("promotion"));
  });
}

}  // namespace farshore
