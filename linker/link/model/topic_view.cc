#include "linker/link/model/topic_view.h"

#include <algorithm>

#include "linker/link/model/promotion_api.h"

namespace farshore::linker {
namespace {

int64_t ms(Duration d) { return std::chrono::duration_cast<milliseconds>(d).count(); }

const char* state_of(const replicator::PumpProgress& pump) {
  switch (pump.phase) {
    case replicator::PumpPhase::kWaitingForControl:
      return "OPENING";
    case replicator::PumpPhase::kRunning:
      // Until the source has mentioned the partition its lag is not known, and ACTIVE with lag 0 would be wrong.
      return pump.last_news == MonoTime() ? "OPENING" : "ACTIVE";
    case replicator::PumpPhase::kPaused:
      return "PAUSED";
    case replicator::PumpPhase::kFailed:
      return "FAILED";
  }
  return "?";
}

const Error& error_of(const replicator::PartitionProgress& p) {
  if (p.pump.failure.code != ErrorCode::kNone) return p.pump.failure;
  return p.source_error.code != ErrorCode::kNone ? p.source_error : p.target_error;
}

void fill_partition(api::MirrorPartition& row, const replicator::PartitionProgress& p, const LinkParts& link) {
  row.set_partition(p.key.partition.value());
  row.set_state(state_of(p.pump));
  row.set_source_high_watermark(p.pump.source.high_watermark.value());
  row.set_source_log_start(p.pump.source.log_start.value());
  const auto end = link.target.end_at_target(p.key, p.pump.target_end);
  const auto high = link.target.end_at_target(p.key, p.pump.target_high_watermark);
  row.set_target_end_offset(end ? end->value() : -1);
  row.set_target_high_watermark(high ? high->value() : -1);
  row.set_mirrored_end_offset(p.pump.target_high_watermark.value());
  row.set_lag_records(p.pump.lag_offsets);
  row.set_lag_ms(ms(p.pump.lag));
  row.set_last_contact_ms_ago(p.contact ? ms(link.env.now() - p.last_contact) : -1);
  row.set_source_leader_epoch(p.pump.source.leader_epoch.value());
  row.set_bytes_total(static_cast<int64_t>(p.pump.bytes));
  const Error& error = error_of(p);
  if (error.code != ErrorCode::kNone) row.set_error(error.to_string());
}

}  // namespace

api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link) {
  const LinkSpec& spec = link.definition.spec();
  api::MirrorTopic out;
  out.set_link(spec.name);
  out.set_mode(name(spec.mode));
  out.set_topic(topic.name());
  out.set_source_topic(topic.source_topic());
  out.set_source_topic_id(topic.source_id().to_string());
  out.set_target_topic_id(topic.id().to_string());
  out.set_state(std::string(name(topic.state())));
  out.set_state_reason(topic.reason());
  out.set_state_since_ms(topic.since_ms());
  for (const auto& drift : topic.drift()) out.add_config_drift(drift);
  out.set_source_fence(link.fences.describe(topic.source_topic()));
  if (topic.promotion()) *out.mutable_promotion() = to_api(*topic.promotion());
  int64_t lag = 0, lag_ms = 0;
  for (const auto& key : topic.pumps()) {
    auto p = link.replicator.progress(key);
    if (!p) continue;
    fill_partition(*out.add_partitions(), *p, link);
    lag += p->pump.lag_offsets;
    lag_ms = std::max(lag_ms, ms(p->pump.lag));
  }
  out.set_lag_records(lag);
  out.set_lag_ms_max(lag_ms);
  return out;
}

}  // namespace farshore::linker
