#include "proto/link/promotion_json.h"

#include "proto/link/internal/stored_json.h"

namespace farshore {
namespace {

Json aborted_to_json(const std::vector<EndedTransaction>& transactions) {
  Json list = Json::array();
  for (const auto& t : transactions) {
    Json committed = Json::array();
    for (const auto& c : t.committed)
      committed.push_back({{"topic", c.topic}, {"partition", c.partition}, {"marker", c.marker.value()}});
    list.push_back({{"producer_id", t.producer_id},
                    {"producer_epoch", t.producer_epoch},
                    {"first_offset", t.first.value()},
                    {"committed", std::move(committed)}});
    if (t.maybe_torn) list.back()["maybe_torn"] = true;
  }
  return list;
}

std::vector<EndedTransaction> aborted_from_json(const Json& json) {
  std::vector<EndedTransaction> transactions;
  for (const auto& t : json) {
    EndedTransaction& to = transactions.emplace_back();
    to.producer_id = t.at("producer_id").get<int64_t>();
    to.producer_epoch = t.at("producer_epoch").get<int16_t>();
    to.first = Offset(t.at("first_offset").get<int64_t>());
    to.maybe_torn = t.value("maybe_torn", false);
    for (const auto& c : t.at("committed"))
      to.committed.push_back(
          {c.at("topic").get<std::string>(), c.at("partition").get<int32_t>(), Offset(c.at("marker").get<int64_t>())});
  }
  return transactions;
}

// The fields that both forms have.
Json end_to_json(const PromotionRecord::PartitionEnd& end) {
  return {{"partition", end.partition},
          {"failover_offset", end.failover_offset.value()},
          {"last_epoch", end.last_epoch.value()},
          {"source_high_watermark", end.source_high_watermark.value()},
          {"lost_at_least_records", end.lost_at_least_records},
          {"lost_at_least_ms", end.lost_at_least_ms},
          {"blind_window_ms", end.blind_window_ms}};
}

PromotionRecord::PartitionEnd end_from_json(const Json& json) {
  PromotionRecord::PartitionEnd end;
  end.partition = json.at("partition").get<int32_t>();
  end.failover_offset = SourceOffset(json.at("failover_offset").get<int64_t>());
  end.last_epoch = LogEpoch(json.at("last_epoch").get<int32_t>());
  end.source_high_watermark = SourceOffset(json.at("source_high_watermark").get<int64_t>());
  end.lost_at_least_records = json.at("lost_at_least_records").get<int64_t>();
  end.lost_at_least_ms = json.at("lost_at_least_ms").get<int64_t>();
  end.blind_window_ms = json.at("blind_window_ms").get<int64_t>();
  return end;
}

PromotionKind kind_from_json(const Json& json) {
  const std::string text = json.get<std::string>();
  auto kind = parse_promotion_kind(text);
  if (!kind) throw BadStoredValue{Error(ErrorCode::kCorrupt, "a mirror does not end by '" + text + "'")};
  return *kind;
}

EndState end_state_from_json(const Json& json) {
  const std::string text = json.get<std::string>();
  auto state = parse_end_state(text);
  if (!state) throw BadStoredValue{Error(ErrorCode::kCorrupt, "'" + text + "' is no state of a partition's end")};
  return *state;
}

}  // namespace

Json mirror_promotion_to_json(const PromotionRecord& record) {
  Json ends = Json::array();
  for (const auto& end : record.partitions) {
    Json row = end_to_json(end);
    row["new_epoch"] = end.new_epoch.value();
    row["aborted"] = aborted_to_json(end.aborted);
    if (end.state != EndState::kDone) row["state"] = name(end.state);
    ends.push_back(std::move(row));
  }
  return {{"kind", name(record.kind)},
          {"wall_ms", record.wall_ms},
          {"link", record.link.to_string()},
          {"source_cluster_id", record.source_cluster_id.value()},
          {"source_topic_id", record.source_topic.to_string()},
          {"partitions", std::move(ends)}};
}

Json relay_promotion_to_json(const PromotionRecord& record) {
  Json ends = Json::array();
  for (const auto& end : record.partitions) {
    Json row = end_to_json(end);
    row["failover_target_offset"] = end.failover_target_offset.value();
    row["note"] = end.note;
    if (end.state != EndState::kDone) row["state"] = name(end.state);
    ends.push_back(std::move(row));
  }
  return {{"kind", name(record.kind)}, {"wall_ms", record.wall_ms}, {"partitions", std::move(ends)}};
}

Result<PromotionRecord> mirror_promotion_from_json(const Json& json) {
  return read_json<PromotionRecord>("a promotion record", json, [](const Json& from, PromotionRecord& record) {
    record.kind = kind_from_json(from.at("kind"));
    record.wall_ms = from.at("wall_ms").get<int64_t>();
    record.link = LinkId(uuid_from_json(from.at("link")));
    record.source_cluster_id = ClusterId(from.at("source_cluster_id").get<std::string>());
    record.source_topic = SourceTopicId(uuid_from_json(from.at("source_topic_id")));
    for (const auto& row : from.at("partitions")) {
      auto& end = record.partitions.emplace_back(end_from_json(row));
      end.failover_target_offset = TargetOffset(end.failover_offset.value());  // a mirror has the source's offsets
      end.new_epoch = LeadershipEpoch(row.at("new_epoch").get<int32_t>());
      // Records that were stored before 2026-11-26 do not have the field.
      if (row.contains("aborted")) end.aborted = aborted_from_json(row.at("aborted"));
      if (row.contains("state")) end.state = end_state_from_json(row.at("state"));
    }
  });
}

Result<PromotionRecord> relay_promotion_from_json(const Json& json) {
  return read_json<PromotionRecord>("a promotion record", json, [](const Json& from, PromotionRecord& record) {
    record.kind = kind_from_json(from.at("kind"));
    record.wall_ms = from.at("wall_ms").get<int64_t>();
    for (const auto& row : from.at("partitions")) {
      auto& end = record.partitions.emplace_back(end_from_json(row));
      end.failover_target_offset = TargetOffset(row.at("failover_target_offset").get<int64_t>());
      end.new_epoch = LeadershipEpoch(-1);  // the epochs of a Kafka cluster are its own
      end.note = row.at("note").get<std::string>();
      if (row.contains("state")) end.state = end_state_from_json(row.at("state"));
    }
  });
}

}  // namespace farshore
