#include "broker/metadata/internal/codec.h"

#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "proto/link/promotion_json.h"

namespace farshore::broker {
namespace {

using Json = nlohmann::json;

constexpr int kFormatVersion = 1;
// Of a topic whose record an older release would misread: it has raised epochs, or is stored in parts.
constexpr int kTopicFormatVersion = 2;
constexpr int32_t kTopicPartsMax = 1 << 10;         // of a stored topic: beyond it the value is damaged
constexpr size_t kPartitionsPerTopicMax = 1 << 20;  // of a stored topic: beyond it the value is damaged

struct BadValue {  // thrown inside this file only
  Error error;
};

// Parses, checks the version, and lets `read` pick the fields; what the JSON library throws becomes kCorrupt here.
template <class T, class Read>
Result<T> decode_value(std::string_view what, std::string_view value, Read read, int version_max = kFormatVersion) {
  try {
    // No number of ours has a fraction: such a field is left out, and missed below. (As an integer it could be
    // undefined.)
    auto no_fractions = [](int, Json::parse_event_t event, Json& parsed) {
      return event != Json::parse_event_t::value || !parsed.is_number_float();
    };
    Json json = Json::parse(value.begin(), value.end(), no_fractions);
    if (int version = json.at("v").get<int>(); version < kFormatVersion || version > version_max)
      return Error(ErrorCode::kUnsupported, std::string(what) + " has format version " + std::to_string(version) +
                                                ", this program reads " + std::to_string(version_max));
    T result;
    read(json, result);
    return result;
  } catch (const Json::exception& problem) {
    return Error(ErrorCode::kCorrupt, std::string(what) + " is damaged: " + problem.what());
  } catch (const BadValue& problem) {
    return Error(ErrorCode::kCorrupt, std::string(what) + " is damaged: " + problem.error.detail);
  }
}

std::string dump(const Json& json) {
  // Text of others (names, reasons) may hold invalid UTF-8: replaced, never thrown.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Uuid uuid_of(const Json& json) {
  auto id = Uuid::parse(json.get<std::string>());
  if (!id) throw BadValue{std::move(id).error()};
  return *id;
}

Json ids_json(const std::vector<BrokerId>& ids) {
  Json list = Json::array();
  for (auto id : ids) list.push_back(id.value());
  return list;
}

std::vector<BrokerId> ids_of(const Json& json) {
  std::vector<BrokerId> ids;
  for (const auto& id : json) ids.emplace_back(id.get<int32_t>());
  return ids;
}

Json mirror_json(const MirrorImage& mirror) {
  Json provenance = Json::array();
  for (const auto& cluster : mirror.provenance) provenance.push_back(cluster.value());
  Json json = {{"link", mirror.link.to_string()},
               {"link_epoch", mirror.link_epoch.value()},
               {"source_cluster_id", mirror.source_cluster_id.value()},
               {"source_topic", mirror.source_topic_name},
               {"source_topic_id", mirror.source_topic.to_string()},
               {"state", name(mirror.state)},
               {"reason", mirror.state_reason},
               {"provenance", std::move(provenance)}};
  const PromotionRecord* holds = mirror.promotion();
  if (holds) json["promotion"] = mirror_promotion_to_json(*holds);
  for (const auto& record : mirror.promotions)
    if (&record != holds) json["promotions_before"].push_back(mirror_promotion_to_json(record));
  return json;
}

PromotionRecord promotion_of(const Json& json) {
  auto promotion = mirror_promotion_from_json(json);
  if (!promotion) throw BadValue{std::move(promotion).error()};
  return std::move(*promotion);
}

MirrorImage mirror_of(const Json& json) {
  MirrorImage mirror;
  mirror.link = LinkId(uuid_of(json.at("link")));
  mirror.link_epoch = LinkEpoch(json.at("link_epoch").get<int64_t>());
  mirror.source_cluster_id = ClusterId(json.at("source_cluster_id").get<std::string>());
  mirror.source_topic_name = json.at("source_topic").get<std::string>();
  mirror.source_topic = SourceTopicId(uuid_of(json.at("source_topic_id")));
  const std::string text = json.at("state").get<std::string>();
  auto state = parse_mirror_state(text);
  if (!state || !may_be_stored(*state))
    throw BadValue{Error(ErrorCode::kCorrupt, "'" + text + "' is no state of a stored mirror topic")};
  mirror.state = *state;
  mirror.state_reason = json.value("reason", "");
  for (auto& cluster : json.at("provenance").get<std::vector<std::string>>())
    mirror.provenance.emplace_back(std::move(cluster));
  if (json.contains("promotions_before"))
    for (const auto& record : json.at("promotions_before")) mirror.promotions.push_back(promotion_of(record));
  if (json.contains("promotion")) mirror.promotions.push_back(promotion_of(json.at("promotion")));
  return mirror;
}

Json fences_json(const std::vector<WriteFence>& fences) {
  Json list = Json::array();
  for (const auto& fence : fences)
    list.push_back({{"link", fence.link.to_string()},
                    {"epoch", fence.number.epoch.value()},
                    {"attempt", fence.number.attempt},
                    {"until_ms", fence.until_ms}});
  return list;
}

std::vector<WriteFence> fences_of(const Json& json) {
  std::vector<WriteFence> fences;
  for (const auto& from : json) {
    WriteFence& fence = fences.emplace_back();
    fence.link = LinkId(uuid_of(from.at("link")));
    fence.number = {LinkEpoch(from.at("epoch").get<int64_t>()), from.at("attempt").get<int64_t>()};
    fence.until_ms = from.at("until_ms").get<int64_t>();
  }
  return fences;
}

std::map<int32_t, LeadershipEpoch> raising_of(const Json& json, size_t partitions) {
  std::map<int32_t, LeadershipEpoch> raising;
  for (const auto& from : json) {
    const auto partition = from.at(0).get<int32_t>();
    if (partition < 0 || static_cast<size_t>(partition) >= partitions)
      throw BadValue{Error(ErrorCode::kCorrupt, "an epoch of partition " + std::to_string(partition))};
    raising[partition] = LeadershipEpoch(from.at(1).get<int32_t>());
  }
  return raising;
}

}  // namespace

std::string broker_key(BrokerId id) { return std::string(kBrokerPrefix) + std::to_string(id.value()); }
std::string topic_key(std::string_view name) { return std::string(kTopicPrefix).append(name); }
std::string partition_key(const TopicId& id, int32_t partition) {
  return std::string(kPartitionPrefix) + id.to_string() + "/" + std::to_string(partition);
}

Result<PartitionKey> parse_partition_key(std::string_view key) {
  auto bad = [key] { return Error(ErrorCode::kCorrupt, "'" + std::string(key) + "' is no partition key"); };
  if (!key.starts_with(kPartitionPrefix)) return bad();
  std::string_view rest = key.substr(kPartitionPrefix.size());
  auto slash = rest.find('/');
  if (slash == std::string_view::npos) return bad();
  PartitionKey parsed;
  auto id = Uuid::parse(rest.substr(0, slash));
  if (!id) return bad();
  parsed.topic = *id;
  rest.remove_prefix(slash + 1);
  auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), parsed.partition);
  if (failure != std::errc() || end != rest.data() + rest.size() || parsed.partition < 0) return bad();
  return parsed;
}

std::string encode_cluster(const ClusterRecord& cluster) {
  return dump({{"v", kFormatVersion},
               {"cluster_id", cluster.cluster_id},
               {"incarnation", cluster.incarnation.to_string()},
               {"salt", cluster.salt}});
}

Result<ClusterRecord> decode_cluster(std::string_view value) {
  return decode_value<ClusterRecord>("the cluster record", value, [](const Json& json, ClusterRecord& to) {
    to.cluster_id = json.at("cluster_id").get<std::string>();
    to.incarnation = uuid_of(json.at("incarnation"));
    to.salt = json.at("salt").get<int64_t>();
  });
}

std::string encode_producer_ids(int64_t next_counter) {
  return dump({{"v", kFormatVersion}, {"next_counter", next_counter}});
}

Result<int64_t> decode_producer_ids(std::string_view value) {
  return decode_value<int64_t>("the producer id counter", value, [](const Json& json, int64_t& to) {
    to = json.at("next_counter").get<int64_t>();
    if (to < 0) throw BadValue{Error(ErrorCode::kCorrupt, "next_counter is negative")};
  });
}

std::string encode_broker(const BrokerImage& broker) {
  return dump({{"v", kFormatVersion}, {"advertised", broker.advertised.to_string()}, {"rack", broker.rack}});
}

Result<BrokerImage> decode_broker(BrokerId id, std::string_view value) {
  return decode_value<BrokerImage>("a broker record", value, [id](const Json& json, BrokerImage& to) {
    to.id = id;
    auto advertised = Endpoint::parse(json.at("advertised").get<std::string>());
    if (!advertised) throw BadValue{std::move(advertised).error()};
    to.advertised = *advertised;
    to.rack = json.at("rack").get<std::string>();
  });
}

std::string encode_partition(const PartitionImage& partition) {
  return dump({{"v", kFormatVersion},
               {"leadership_epoch", partition.leadership_epoch.value()},
               {"leader", partition.leader.value()},
               {"replicas", ids_json(partition.replicas)},
               {"isr", ids_json(partition.isr)}});
}

Result<PartitionImage> decode_partition(int32_t partition, std::string_view value) {
  return decode_value<PartitionImage>("a partition record", value, [partition](const Json& json, PartitionImage& to) {
    to.partition = partition;
    to.leadership_epoch = LeadershipEpoch(json.at("leadership_epoch").get<int32_t>());
    to.leader = BrokerId(json.at("leader").get<int32_t>());
    to.replicas = ids_of(json.at("replicas"));
    to.isr = ids_of(json.at("isr"));
  });
}

std::string encode_topic(const TopicImage& topic) {
  Json json = {{"v", kFormatVersion},      {"id", topic.id.to_string()}, {"partitions", topic.partitions.size()},
               {"configs", topic.configs}, {"internal", topic.internal}, {"read_only", topic.read_only}};
  if (topic.mirror) json["mirror"] = mirror_json(*topic.mirror);
  if (!topic.fences.empty()) json["fences"] = fences_json(topic.fences);
  if (!topic.raising.empty()) {
    Json raising = Json::array();
    for (const auto& [partition, epoch] : topic.raising) raising.push_back({partition, epoch.value()});
    json["raising"] = std::move(raising);
    json["v"] = kTopicFormatVersion;
  }
  return dump(json);
}

Result<TopicImage> decode_topic(std::string name, std::string_view value) {
  std::string what = "topic " + name;
  auto read = [&name](const Json& json, TopicImage& to) {
    to.name = std::move(name);
    to.id = uuid_of(json.at("id"));
    auto count = json.at("partitions").get<size_t>();
    if (count == 0 || count > kPartitionsPerTopicMax)
      throw BadValue{Error(ErrorCode::kCorrupt, std::to_string(count) + " partitions")};
    to.partitions.resize(count);
    to.configs = json.at("configs").get<std::map<std::string, std::string>>();
    to.internal = json.at("internal").get<bool>();
    to.read_only = json.at("read_only").get<bool>();
    if (json.contains("mirror")) to.mirror = mirror_of(json.at("mirror"));
    if (json.contains("fences")) to.fences = fences_of(json.at("fences"));
    if (json.contains("raising")) to.raising = raising_of(json.at("raising"), count);
  };
  return decode_value<TopicImage>(what, value, read, kTopicFormatVersion);
}

std::string encode_topic_parts(const TopicParts& parts) {
  return dump({{"v", kTopicFormatVersion},
               {"id", parts.topic.to_string()},
               {"parts", {{"generation", parts.generation.to_string()}, {"count", parts.count}}}});
}

Result<std::optional<TopicParts>> decode_topic_parts(std::string_view name, std::string_view value) {
  auto read = [](const Json& json, std::optional<TopicParts>& to) {
    if (!json.contains("parts")) return;
    const Json& from = json.at("parts");
    to = TopicParts{uuid_of(json.at("id")), uuid_of(from.at("generation")), from.at("count").get<int32_t>()};
    if (to->count < 1 || to->count > kTopicPartsMax)
      throw BadValue{Error(ErrorCode::kCorrupt, std::to_string(to->count) + " parts")};
  };
  return decode_value<std::optional<TopicParts>>("topic " + std::string(name), value, read, kTopicFormatVersion);
}

}  // namespace farshore::broker
