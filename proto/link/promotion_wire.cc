#include "proto/link/promotion_wire.h"

namespace farshore {

void put_promotion(const PromotionRecord& record, MirrorPartitionAnswer& answer) {
  for (const auto& end : record.partitions) {
    if (end.partition != answer.partition || end.state == EndState::kOffline) continue;
    auto& out = answer.promotion.emplace();
    out.offset = end.failover_offset.value();
    out.last_source_epoch = end.last_epoch.value();
    out.leadership_epoch = end.new_epoch.value();
    out.source_high_watermark = end.source_high_watermark.value();
    out.blind_window_ms = end.blind_window_ms;
    out.lost_at_least_records = end.lost_at_least_records;
    out.at_ms = record.wall_ms;
    for (const auto& transaction : end.aborted) {
      auto& to = out.aborted.emplace_back();
      to.producer_id = transaction.producer_id;
      to.producer_epoch = transaction.producer_epoch;
      to.first_offset = transaction.first.value();
      to.maybe_torn = transaction.maybe_torn;
      for (const auto& committed : transaction.committed) {
        auto& elsewhere = to.committed.emplace_back();
        elsewhere.topic = committed.topic;
        elsewhere.partition = committed.partition;
        elsewhere.marker_offset = committed.marker.value();
      }
    }
  }
}

PromotionRecord get_promotion(const MirrorTopicAnswer& topic) {
  PromotionRecord record;
  record.kind = role_of(topic) == MirrorRole::kPromoted ? PromotionKind::kPromote : PromotionKind::kFailover;
  record.link = LinkId(topic.link_id);
  record.source_cluster_id = ClusterId(topic.source_cluster_id.value_or(""));
  record.source_topic = SourceTopicId(topic.source_topic_id);
  for (const auto& partition : topic.partitions) {
    if (!partition.promotion) {
      // A target of this release leaves it out only where it does not know the end yet.
      auto& open = record.partitions.emplace_back(mirror_end(partition.partition, Offset(-1)));
      open.last_epoch = LogEpoch(-1);
      open.new_epoch = LeadershipEpoch(-1);
      open.source_high_watermark = SourceOffset(partition.source_high_watermark);
      open.blind_window_ms = -1;  // not known, like the end
      open.state = EndState::kOffline;
      open.note = "offline at the target: its end is found, and it becomes writable, as soon as it is back";
      continue;
    }
    const auto& from = *partition.promotion;
    record.wall_ms = from.at_ms;
    auto& end = record.partitions.emplace_back(mirror_end(partition.partition, Offset(from.offset)));
    end.last_epoch = LogEpoch(from.last_source_epoch);
    end.new_epoch = LeadershipEpoch(from.leadership_epoch);
    end.source_high_watermark = SourceOffset(from.source_high_watermark);
    end.lost_at_least_records = from.lost_at_least_records;
    end.blind_window_ms = from.blind_window_ms;
    for (const auto& aborted : from.aborted) {
      auto& to = end.aborted.emplace_back();
      to.producer_id = aborted.producer_id;
      to.producer_epoch = aborted.producer_epoch;
      to.first = Offset(aborted.first_offset);
      to.maybe_torn = aborted.maybe_torn;
      for (const auto& committed : aborted.committed)
        to.committed.push_back({committed.topic, committed.partition, Offset(committed.marker_offset)});
    }
  }
  return record;
}

}  // namespace farshore
