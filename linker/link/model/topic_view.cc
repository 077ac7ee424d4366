#include "linker/link/model/topic_view.h"

#include "base/plant.h"
#include "linker/link/model/promotion_api.h"

namespace farshore::linker {
namespace {

int64_t ms(Duration d) { return std::chrono::duration_cast<milliseconds>(d).count(); }

const char* state_of(const replicator::PartitionProgress& p, MonoTime now) {
  switch (p.pump.phase) {
    case replicator::PumpPhase::kWaitingForControl:
      return "OPENING";
    case replicator::PumpPhase::kRunning:
      // Until the source has mentioned the partition its lag is not known, and ACTIVE with lag 0 would be wrong.
      if (!p.heard() || p.pump.last_news == MonoTime()) return "OPENING";
      if (now - p.known_as_of > LagFigures::kFresh && p.source_error.code != ErrorCode::kNone)
        return "SOURCE_UNAVAILABLE";
      return "ACTIVE";
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
  const MonoTime now = link.env.now();
  const bool opened = p.pump.opened;
  const LagFigures lag(p, now);
  row.set_partition(p.key.partition.value());
  row.set_state(state_of(p, now));
  row.set_source_high_watermark(p.heard() ? p.pump.source.high_watermark.value() : -1);
  row.set_source_log_start(p.heard() ? p.pump.source.log_start.value() : -1);
  const auto end = link.target.end_at_target(p.key, p.pump.target_end);
  const auto high = link.target.end_at_target(p.key, p.pump.target_high_watermark);
  row.set_target_end_offset(opened && end ? end->value() : -1);
  row.set_target_high_watermark(opened && high ? high->value() : -1);
  row.set_mirrored_end_offset(opened ? p.pump.target_high_watermark.value() : -1);
  const bool wrong = !lag.known() && planted(link.env, Plant::kUnknownLagIsZero);
  row.set_lag_records(wrong ? 0 : lag.records());
  row.set_lag_ms(wrong ? 0 : lag.ms_max());
  row.set_last_contact_ms_ago(p.heard() ? ms(now - p.known_as_of) : -1);
  row.set_source_leader_epoch(p.pump.source.leader_epoch.value());
  row.set_bytes_total(static_cast<int64_t>(p.pump.bytes));
  const Error& error = error_of(p);
  if (error.code != ErrorCode::kNone) row.set_error(error.to_string());
}

void fill_losses(api::MirrorTopic& out, const MirrorTopic& topic, const LossReports& losses) {
  const LossReport* report = losses.find(topic.name(), topic.id());
  if (!report) return;
  for (const auto& loss : report->rows) {
    auto& row = *out.add_losses();
    row.set_kind(std::string(name(loss.kind)));
    row.set_partition(loss.partition);
    row.set_from_offset(loss.from.value());
    row.set_to_offset(loss.to.value());
    row.set_wall_ms(loss.last_ms);
    row.set_first_wall_ms(loss.first_ms);
    row.set_ranges(loss.ranges);
    row.set_offsets(loss.offsets);
  }
  int64_t ranges = 0, offsets = 0;
  for (const auto& entry : report->totals) {
    ranges += entry.second.ranges;
    offsets += entry.second.offsets;
  }
  out.set_losses_total(ranges);
  out.set_lost_offsets_total(offsets);
}

// A topic that is ACTIVE and has partitions that do not go on says so where its reason is.
void add_trouble(api::MirrorTopic& out) {
  const api::MirrorPartition* first = nullptr;
  int troubled = 0;
  for (const auto& partition : out.partitions()) {
    if (partition.error().empty()) continue;
    if (!first) first = &partition;
    ++troubled;
  }
  if (!first) return;
  std::string reason = out.state_reason();
  if (!reason.empty()) reason += "; ";
  reason += "partition " + std::to_string(first->partition()) + ": " + first->error();
  if (troubled > 1) reason += " (and " + std::to_string(troubled - 1) + " more partitions with errors)";
  out.set_state_reason(std::move(reason));
}

}  // namespace

std::string_view shown_state(const MirrorTopic& topic, const LinkParts& link) {
  if (topic.left_out()) return kLeftOutName;
  const bool reads = topic.state() == MirrorState::kActive || topic.state() == MirrorState::kSourceUnavailable;
  return name(reads && link.definition.paused() ? MirrorState::kPaused : topic.state());
}

LagFigures lag_of(const MirrorTopic& topic, const LinkParts& link) {
  if (topic.state() == MirrorState::kStopped) return {};
  if (topic.pumps().empty()) return LagFigures::unknown();
  LagFigures lag;
  for (const auto& key : topic.pumps())
    if (auto p = link.replicator.progress(key)) lag.add(LagFigures(*p, link.env.now()));
  return lag;
}

api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link) {
  const LinkSpec& spec = link.definition.spec();
  api::MirrorTopic out;
  out.set_link(spec.name);
  out.set_mode(name(spec.mode));
  out.set_topic(topic.name());
  out.set_source_topic(topic.source_topic());
  out.set_source_topic_id(topic.source_id().to_string());
  out.set_target_topic_id(topic.id().to_string());
  out.set_state(std::string(shown_state(topic, link)));
  const bool stands_with_link = !topic.left_out() && out.state() != name(topic.state());
  out.set_state_reason(stands_with_link ? "its link is paused" : topic.reason());
  out.set_state_since_ms(topic.since_ms());
  for (const auto& drift : topic.drift()) out.add_config_drift(drift);
  out.set_source_fence(link.fences.describe(topic.source_topic()));
  if (std::string undecided = link.ends.describe(topic.name()); !undecided.empty()) out.add_notes(std::move(undecided));
  if (topic.promotion()) *out.mutable_promotion() = to_api(*topic.promotion());
  for (const auto& key : topic.pumps())
    if (auto p = link.replicator.progress(key)) fill_partition(*out.add_partitions(), *p, link);
  if (out.state() == name(MirrorState::kActive)) add_trouble(out);
  fill_losses(out, topic, link.losses);
  if (topic.compacted() && topic.state() != MirrorState::kStopped)
    out.add_notes("the source compacts this topic; the mirror keeps every record, and grows, until it ends");
  const LagFigures lag = lag_of(topic, link);
  out.set_lag_records(lag.records());
  out.set_lag_ms_max(lag.ms_max());
  out.set_lag_unknown_partitions(lag.unknown_partitions());
  return out;
}

}  // namespace farshore::linker
