#include "proto/link/promotion_record.h"

#include "proto/link/internal/state_tables.h"

namespace farshore {
namespace {

constexpr std::pair<PromotionKind, std::string_view> kKinds[] = {{PromotionKind::kPromote, "promote"},
                                                                 {PromotionKind::kFailover, "failover"}};

constexpr std::pair<EndState, std::string_view> kEndStates[] = {
    {EndState::kDone, "done"}, {EndState::kMarkersMissing, "markers-missing"}, {EndState::kOffline, "offline"}};

}  // namespace

std::string_view name(PromotionKind kind) { return name_in(kKinds, kind); }
std::optional<PromotionKind> parse_promotion_kind(std::string_view text) { return value_in(kKinds, text); }

std::string_view name(EndState state) { return name_in(kEndStates, state); }
std::optional<EndState> parse_end_state(std::string_view text) { return value_in(kEndStates, text); }

void add_promotion(std::vector<PromotionRecord>& promotions, PromotionRecord record) {
  promotions.push_back(std::move(record));
  if (promotions.size() > kPromotionsMax) promotions.erase(promotions.begin());
}

PromotionRecord::PartitionEnd mirror_end(int32_t partition, Offset end) {
  PromotionRecord::PartitionEnd out;
  out.partition = partition;
  out.failover_offset = SourceOffset(end.value());
  out.failover_target_offset = TargetOffset(end.value());
  return out;
}

}  // namespace farshore
