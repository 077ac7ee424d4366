// One filled value of each stored record.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "proto/link/group_memory.h"
#include "proto/link/promotion_record.h"
#include "proto/link/relay_topic.h"
#include "proto/link/stored_link.h"

namespace farshore::samples {

inline Uuid uuid(uint8_t first) {  // bytes first, first + 1, ...
  Uuid id;
  for (uint8_t& byte : id.bytes) byte = first++;
  return id;
}

inline StoredLink stored_link() {
  StoredLink link;
  link.spec.name = "east-to-west";
  link.spec.source = parse_bootstrap("east-1:9092,east-2:9092").value();
  link.spec.target = parse_bootstrap("west-1:9092").value();
  link.spec.source_cluster_id = ClusterId("east-cluster");
  link.spec.target_cluster_id = ClusterId("west-cluster");
  link.spec.source_incarnation = "AAAA";
  link.spec.target_incarnation = "BBBB";
  link.spec.mode = LinkMode::kRelay;
  link.spec.topics = {parse_filter("orders*").value(), parse_filter("!orders-test").value()};
  link.spec.topic_prefix = "east.";
  link.spec.group_sync = false;
  link.spec.group_sync_interval_ms = 250;
  link.spec.topic_sync_interval_ms = 7000;
  link.spec.config_include = {"retention.ms"};
  link.spec.on_divergence = OnDivergence::kStop;
  link.id = LinkId(uuid(1));
  link.epoch = LinkEpoch(4);
  link.state = LinkState::kFailed;
  link.state_reason = "refused \xff by the source";  // not UTF-8: replaced when it is stored
  link.created_ms = 1790000000000;
  link.paused_topics = {"east.orders-eu"};
  return link;
}

inline GroupMemory group_memory() {
  return {{{"orders", 0}, {TargetOffset(5), std::nullopt}}, {{"orders", 3}, {TargetOffset(9), TargetOffset(12)}}};
}

inline RelayTopic relay_topic() {
  RelayTopic topic;
  topic.link = LinkId(uuid(1));
  topic.topic = "east.orders";
  topic.source_topic = "orders";
  topic.id = TargetTopicId(uuid(2));
  topic.source_id = SourceTopicId(uuid(3));
  topic.source_cluster_id = ClusterId("east-cluster");
  topic.partitions = 7;
  topic.caught_up = true;
  topic.declared = {{"retention.ms", "1000"}, {"retention.bytes", std::nullopt}};
  PromotionRecord& record = topic.promotion.emplace();
  record.kind = PromotionKind::kFailover;
  record.wall_ms = 1790000000123;
  PromotionRecord::PartitionEnd& end = record.partitions.emplace_back();
  end.partition = 3;
  end.failover_offset = SourceOffset(40);
  end.failover_target_offset = TargetOffset(50);
  end.last_epoch = LogEpoch(6);
  end.new_epoch = LeadershipEpoch(-1);
  end.source_high_watermark = SourceOffset(45);
  end.lost_at_least_records = 5;
  end.lost_at_least_ms = 70;
  end.blind_window_ms = 80;
  end.note = "by what was written down";
  PromotionRecord::PartitionEnd& nothing = record.partitions.emplace_back();
  nothing.partition = 4;
  nothing.last_epoch = LogEpoch(-1);
  nothing.new_epoch = LeadershipEpoch(-1);
  return topic;
}

inline PromotionRecord mirror_promotion() {
  PromotionRecord record;
  record.kind = PromotionKind::kFailover;
  record.wall_ms = 1790000000123;
  record.link = LinkId(uuid(1));
  record.source_cluster_id = ClusterId("east-cluster");
  record.source_topic = SourceTopicId(uuid(3));
  PromotionRecord::PartitionEnd end = mirror_end(1, Offset(95));
  end.last_epoch = LogEpoch(7);
  end.new_epoch = LeadershipEpoch(65536);
  end.source_high_watermark = SourceOffset(100);
  end.lost_at_least_records = 5;
  end.blind_window_ms = 3;
  end.aborted.push_back({9, 2, Offset(90), {{"orders", 0, Offset(70)}, {"other", 3, Offset(71)}}});
  end.aborted.push_back({10, 0, Offset(91), {}});
  record.partitions.push_back(std::move(end));
  record.partitions.push_back(mirror_end(0, Offset(0)));
  return record;
}

inline std::string dump(const nlohmann::json& json) { return json.dump(); }
inline nlohmann::json parse(std::string_view text) { return nlohmann::json::parse(text); }

}  // namespace farshore::samples
