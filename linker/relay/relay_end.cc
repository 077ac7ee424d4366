// The end of a relay: promote and failover into a Kafka target.
#include <algorithm>

#include "linker/relay/relay_target.h"

namespace farshore::linker {
namespace {

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

}  // namespace

Task<Result<PromotionRecord::PartitionEnd>> RelayTarget::claimed_end(replicator::PumpKey key, Deadline deadline) {
  PromotionRecord::PartitionEnd out;
  out.partition = key.partition.value();
  out.new_epoch = LeadershipEpoch(-1);  // Kafka's epochs are its own
  out.last_epoch = LogEpoch(-1);
  CO_TRY(auto claims, co_await services_.journal.claims(key, deadline));
  if (!claims.last_run) co_return out;
  out.failover_offset = claims.last_run->source_end();
  out.failover_target_offset = claims.last_run->target_end();
  out.last_epoch = claims.last_run->source_epoch;
  co_return out;
}

Task<Result<PromotionRecord::PartitionEnd>> RelayTarget::end_of(replicator::PumpKey key, bool take_over,
                                                                replicator::Replicator& pumps, Deadline deadline) {
  CO_TRY(auto out, co_await claimed_end(key, deadline));
  auto progress = pumps.progress(key);
  if (progress) out.source_high_watermark = progress->pump.source.high_watermark;
  if (progress && !take_over) out.failover_offset = progress->pump.target_end;
  while (take_over) {
    auto state = co_await sink_.open(key);
    if (state) {
      CO_TRY(auto claimed,
             co_await claimed_end(key, deadline));  // the takeover may have found more than was written down
      out.failover_offset = state->end;
      out.failover_target_offset = claimed.failover_target_offset;
      out.last_epoch = state->last_epoch;
      break;
    }
    if (state.error() == ErrorCode::kFenced) co_return std::move(state).error();
    if (!error_retriable(state.error().code)) {
      out.note = "by what was written down: " + state.error().to_string();
      break;
    }
    if (deadline.passed(env_.now())) co_return std::move(state).error();
    CO_CHECK(co_await cluster_.client().pause(2, deadline));
  }
  out.lost_at_least_records = std::max<int64_t>(0, out.source_high_watermark - out.failover_offset);
  co_return out;
}

Task<Result<PromotionRecord>> RelayTarget::end(EndOfTopic request, replicator::Replicator& pumps, Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  const RelayTopic* before = kept(request.topic.topic);
  if (!before || before->id.is_zero())
    co_return refused("nothing was relayed into topic " + request.topic.topic + ": there is nothing to end");
  RelayTopic topic = *before;
  PromotionRecord record;
  record.kind = request.ends ? PromotionKind::kPromote : PromotionKind::kFailover;
  record.wall_ms = env_.wall_now().milliseconds_since_epoch;
  if (!request.dry_run)
    for (const auto& key : request.pumps) pumps.pause(key);
  for (int32_t p = 0; p < topic.partitions; ++p) {
    const replicator::PumpKey key{link_, topic.source_id, PartitionId(p)};
    const bool pumped = static_cast<size_t>(p) < request.pumps.size();
    CO_TRY(auto out, co_await end_of(key, pumped && !request.dry_run, pumps, deadline));
    if (!pumped) out.note = "by what was written down: nothing is relayed any more";
    if (request.ends && out.failover_offset.value() < (*request.ends)[p])
      co_return Error(ErrorCode::kConflict, "partition " + std::to_string(p) + " is relayed up to " +
                                                std::to_string(out.failover_offset.value()) + ", the source ends at " +
                                                std::to_string((*request.ends)[p]));
    record.partitions.push_back(std::move(out));
  }
  add_what_was_seen(record, request.pumps, pumps, env_.now());
  if (request.dry_run) co_return record;
  topic.promotion = record;
  CO_CHECK(co_await keep(topic, deadline));
  if (!topic.caught_up) co_await restore_retention(std::move(topic), deadline);
  co_return record;
}

Task<void> RelayTarget::restore_retention(RelayTopic topic, Deadline deadline) {
  auto altered = co_await cluster_.alter_topic_configs(topic.topic, topic.declared, deadline);
  if (!altered)
    env_.log().error("the declared retention could not be set: the topic keeps everything until somebody does",
                     {{"topic", topic.topic}, {"error", altered.error()}});
}

}  // namespace farshore::linker
