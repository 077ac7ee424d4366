// PromotionRecord as JSON, inside a larger stored value: the topic's entry in a Farshore target's metadata, or a relay
// topic's entry (relay_topic.h). The two differ in their fields, see FORMAT.md.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "proto/link/promotion_record.h"

namespace farshore {

nlohmann::json mirror_promotion_to_json(const PromotionRecord& record);
nlohmann::json relay_promotion_to_json(const PromotionRecord& record);
// kCorrupt: a field is missing or has another type; the detail says which.
Result<PromotionRecord> mirror_promotion_from_json(const nlohmann::json& json);
Result<PromotionRecord> relay_promotion_from_json(const nlohmann::json& json);

}  // namespace farshore
