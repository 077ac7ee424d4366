#include "broker/mirror/internal/held_partition.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

// Far above anything that the lost source can elect: it can never have the same epoch with other data.
constexpr int32_t kEpochStep = 1 << 16;

int64_t at_least_zero(int64_t n) { return std::max<int64_t>(n, 0); }

std::vector<EndedTransaction> open_transactions(const Log& log) {
  std::vector<EndedTransaction> open;
  for (const auto& producer : log.producers())
    if (producer.txn_first) open.push_back({producer.producer_id, producer.producer_epoch, *producer.txn_first, {}});
  return open;
}

}  // namespace

Task<Result<HeldPartition>> hold_partition(MirrorTargets& targets, PartitionPtr partition, Deadline deadline) {
  auto target = targets.target(*partition);
  auto guard = co_await target->lock.lock(deadline);
  if (!guard) co_return Error(ErrorCode::kIo, "an append to it does not end");
  HeldPartition held{std::move(partition), std::move(target), std::move(*guard)};
  co_return std::move(held);
}

Result<PartitionPtr> usable_partition(const PartitionTable& partitions, const TopicId& topic, int32_t partition) {
  auto found = partitions.find(topic, partition);
  if (found) return found;
  const ErrorCode code = found.error().code;
  const bool opens_later = code == ErrorCode::kUnavailable || code == ErrorCode::kResourceExhausted;
  return opens_later ? Error(ErrorCode::kIo, found.error().to_string()) : found.error();
}

bool is_offline(const Error& error) { return error == ErrorCode::kIo || error == ErrorCode::kNoSpace; }

LeadershipEpoch next_epoch(const std::vector<HeldPartition>& held) {
  int32_t seen = 0;
  for (const auto& h : held) {
    seen = std::max({seen, h.partition->leadership_epoch().value(), h.partition->log().last_epoch().value(),
                     h.target->source.leader_epoch.value()});
  }
  return LeadershipEpoch((seen / kEpochStep + 1) * kEpochStep);
}

PromotionRecord::PartitionEnd end_of(const HeldPartition& held, LeadershipEpoch epoch, WallTime now) {
  const LogEnds ends = held.partition->ends();
  const SourceSeen& source = held.target->source;
  PromotionRecord::PartitionEnd end = mirror_end(held.partition->partition(), ends.end);
  end.last_epoch = held.partition->log().last_epoch();
  end.new_epoch = epoch;
  end.source_high_watermark = SourceOffset(source.high_watermark.value());
  end.lost_at_least_records = at_least_zero(source.high_watermark - ends.end);
  if (source.at.milliseconds_since_epoch >= 0)
    end.blind_window_ms = at_least_zero(now.milliseconds_since_epoch - source.at.milliseconds_since_epoch);
  else
    end.blind_window_ms = -1;  // the source reported nothing since this broker started
  end.aborted = open_transactions(held.partition->log());
  return end;
}

}  // namespace farshore::broker
