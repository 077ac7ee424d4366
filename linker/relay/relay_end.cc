// The end of a relay: promote and failover into a Kafka target.
#include <algorithm>

#include "linker/relay/relay_target.h"

namespace farshore::linker {
namespace {

Error refused(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

}  // namespace

Task<Result<api::PromotionPartition>> RelayTarget::claimed_end(replicator::PumpKey key, Deadline deadline) {
  api::PromotionPartition out;
  out.set_partition(key.partition.value());
  out.set_new_epoch(-1);  // Kafka's epochs are its own
  out.set_last_epoch(-1);
  out.set_failover_target_offset(-1);  // nothing was relayed
  CO_TRY(auto claims, co_await services_.journal.claims(key, deadline));
  if (!claims.last_run) co_return out;
  out.set_failover_offset(claims.last_run->source_end().value());
  out.set_failover_target_offset(claims.last_run->target_end().value());
  out.set_last_epoch(claims.last_run->source_epoch.value());
  co_return out;
}

Task<Result<api::PromotionPartition>> RelayTarget::end_of(replicator::PumpKey key, bool take_over,
                                                          replicator::Replicator& pumps, Deadline deadline) {
  CO_TRY(auto out, co_await claimed_end(key, deadline));
  auto progress = pumps.progress(key);
  if (progress) out.set_source_high_watermark(progress->pump.source.high_watermark.value());
  if (progress && !take_over) out.set_failover_offset(progress->pump.target_end.value());
  while (take_over) {
    auto state = co_await sink_.open(key);
    if (state) {
      CO_TRY(auto claimed,
             co_await claimed_end(key, deadline));  // the takeover may have found more than was written down
      out.set_failover_offset(state->end.value());
      out.set_failover_target_offset(claimed.failover_target_offset());
      out.set_last_epoch(state->last_epoch.value());
      break;
    }
    if (state.error() == ErrorCode::kFenced) co_return std::move(state).error();
    if (!error_retriable(state.error().code)) {
      out.set_note("by what was written down: " + state.error().to_string());
      break;
    }
    if (deadline.passed(env_.now())) co_return std::move(state).error();
    CO_CHECK(co_await cluster_.client().pause(2, deadline));
  }
  out.set_lost_at_least_records(std::max<int64_t>(0, out.source_high_watermark() - out.failover_offset()));
  co_return out;
}

Task<Result<api::PromotionRecord>> RelayTarget::end(EndOfTopic request, replicator::Replicator& pumps,
                                                    Deadline deadline) {
  CO_CHECK(co_await load(deadline));
  const RelayTopic* before = kept(request.topic.topic);
  if (!before || before->id.is_zero())
    co_return refused("nothing was relayed into topic " + request.topic.topic + ": there is nothing to end");
  RelayTopic topic = *before;
  api::PromotionRecord record;
  record.set_kind(request.ends ? "promote" : "failover");
  record.set_wall_ms(env_.wall_now().milliseconds_since_epoch);
  if (!request.dry_run)
    for (const auto& key : request.pumps) pumps.pause(key);
  for (int32_t p = 0; p < topic.partitions; ++p) {
    const replicator::PumpKey key{link_, topic.source_id, PartitionId(p)};
    const bool pumped = static_cast<size_t>(p) < request.pumps.size();
    CO_TRY(auto out, co_await end_of(key, pumped && !request.dry_run, pumps, deadline));
    if (!pumped) out.set_note("by what was written down: nothing is relayed any more");
    if (request.ends && out.failover_offset() < (*request.ends)[p])
      co_return Error(ErrorCode::kConflict, "partition " + std::to_string(p) + " is relayed up to " +
                                                std::to_string(out.failover_offset()) + ", the source ends at " +
                                                std::to_string((*request.ends)[p]));
    *record.add_partitions() = std::move(out);
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
