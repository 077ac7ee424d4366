// PromotionRecord in the answer of MirrorControl: one part in the topic's result, one in each partition's.
#pragma once

#include "proto/kafka/messages/mirror_control.h"
#include "proto/link/mirror_control.h"
#include "proto/link/promotion_record.h"

namespace farshore {

using MirrorTopicAnswer = kafka::MirrorControlResponse::MirrorControlTopicResult;
using MirrorPartitionAnswer = kafka::MirrorControlResponse::MirrorControlPartitionResult;

inline MirrorRole role_of(const MirrorTopicAnswer& topic) { return mirror_role(topic.mirror_state); }
constexpr MirrorRole role_after(PromotionKind kind) {
  return kind == PromotionKind::kPromote ? MirrorRole::kPromoted : MirrorRole::kFailedOver;
}

// Fills `promotion` of one partition's answer (answer.partition says which). Does nothing if the record does not have
// the partition.
void put_promotion(const PromotionRecord& record, MirrorPartitionAnswer& answer);

// The record of a topic that has ended(); with no partitions if the answer has none. The wire does not carry
// lost_at_least_ms: only the gateway measures it.
PromotionRecord get_promotion(const MirrorTopicAnswer& topic);

}  // namespace farshore
