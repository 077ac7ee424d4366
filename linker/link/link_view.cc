// What a link shows of itself.
#include <algorithm>

#include "linker/link/link_controller.h"
#include "linker/link/promotion_api.h"

namespace farshore::linker {
namespace {

int64_t ms(Duration d) { return std::chrono::duration_cast<milliseconds>(d).count(); }

void fill_filters(google::protobuf::RepeatedPtrField<api::Filter>& to, const std::vector<Filter>& filters) {
  for (const auto& filter : filters) {
    auto& out = *to.Add();
    out.set_name(filter.name);
    out.set_pattern(filter.pattern == PatternType::kPrefixed ? api::Filter::PREFIXED : api::Filter::LITERAL);
    out.set_kind(filter.type == FilterType::kExclude ? api::Filter::EXCLUDE : api::Filter::INCLUDE);
  }
}

}  // namespace

std::vector<std::string> LinkController::mirror_names() const {
  std::vector<std::string> names;
  names.reserve(mirrors_.size());
  for (const auto& entry : mirrors_) names.push_back(entry.first);
  return names;
}

std::optional<api::MirrorTopic> LinkController::describe_mirror(const std::string& topic) const {
  auto found = mirrors_.find(topic);
  if (found == mirrors_.end()) return std::nullopt;
  const Mirror& mirror = found->second;
  api::MirrorTopic out;
  out.set_link(link_.spec.name);
  out.set_mode(name(link_.spec.mode));
  out.set_topic(mirror.topic);
  out.set_source_topic(mirror.source_topic);
  out.set_source_topic_id(mirror.source_id.to_string());
  out.set_target_topic_id(mirror.id.to_string());
  out.set_state(std::string(name(mirror.state)));
  out.set_state_reason(mirror.reason);
  out.set_state_since_ms(mirror.since_ms);
  for (const auto& drift : mirror.drift) out.add_config_drift(drift);
  if (mirror.promotion) *out.mutable_promotion() = to_api(*mirror.promotion);
  int64_t lag = 0, lag_ms = 0;
  for (const auto& key : mirror.pumps) {
    auto p = replicator_.progress(key);
    if (!p) continue;
    auto& row = *out.add_partitions();
    row.set_partition(key.partition.value());
    switch (p->pump.phase) {
      case replicator::PumpPhase::kWishing:
        row.set_state("OPENING");
        break;
      case replicator::PumpPhase::kRunning:
        // Before the source has mentioned the partition nothing is known of its lag, and a lag of 0 would be a lie.
        row.set_state(p->pump.last_news == MonoTime() ? "OPENING" : "ACTIVE");
        break;
      case replicator::PumpPhase::kPaused:
        row.set_state("PAUSED");
        break;
      case replicator::PumpPhase::kFailed:
        row.set_state("FAILED");
        break;
    }
    row.set_source_high_watermark(p->pump.source.high_watermark.value());
    row.set_source_log_start(p->pump.source.log_start.value());
    const auto end = target_->end_at_target(key, p->pump.target_end);
    const auto high = target_->end_at_target(key, p->pump.target_high_watermark);
    row.set_target_end_offset(end ? end->value() : -1);
    row.set_target_high_watermark(high ? high->value() : -1);
    row.set_mirrored_end_offset(p->pump.target_high_watermark.value());
    row.set_lag_records(p->pump.lag_offsets);
    row.set_lag_ms(ms(p->pump.lag));
    row.set_last_contact_ms_ago(p->contact ? ms(env_.now() - p->last_contact) : -1);
    row.set_source_leader_epoch(p->pump.source.leader_epoch.value());
    row.set_bytes_total(static_cast<int64_t>(p->pump.bytes));
    const Error& error = p->pump.failure.code != ErrorCode::kNone   ? p->pump.failure
                         : p->source_error.code != ErrorCode::kNone ? p->source_error
                                                                    : p->target_error;
    if (error.code != ErrorCode::kNone) row.set_error(error.to_string());
    lag += p->pump.lag_offsets;
    lag_ms = std::max(lag_ms, ms(p->pump.lag));
  }
  out.set_lag_records(lag);
  out.set_lag_ms_max(lag_ms);
  return out;
}

api::Link LinkController::describe() const {
  api::Link out;
  auto& spec = *out.mutable_spec();
  spec.set_name(link_.spec.name);
  spec.mutable_source()->set_bootstrap(to_string(link_.spec.source));
  spec.mutable_source()->set_cluster_id(link_.spec.source_cluster_id.value());
  spec.mutable_source()->set_kind(source_is_farshore_ ? "farshore" : "kafka");
  spec.mutable_target()->set_bootstrap(to_string(link_.spec.target));
  spec.mutable_target()->set_cluster_id(link_.spec.target_cluster_id.value());
  spec.mutable_target()->set_kind(target_->kind());
  spec.set_mode(name(link_.spec.mode));
  fill_filters(*spec.mutable_topics(), link_.spec.topics);
  fill_filters(*spec.mutable_groups(), link_.spec.groups);
  spec.set_topic_prefix(link_.spec.topic_prefix);
  spec.set_group_sync(link_.spec.group_sync);
  spec.set_group_sync_interval_ms(link_.spec.group_sync_interval_ms);
  spec.set_topic_sync_interval_ms(link_.spec.topic_sync_interval_ms);
  for (const auto& key : link_.spec.config_include) spec.add_config_include(key);
  spec.set_on_divergence(name(link_.spec.on_divergence));
  out.set_link_id(link_.id.to_string());
  out.set_state(std::string(name(state_)));
  out.set_state_reason(state_reason_);
  out.set_state_since_ms(state_since_ms_);
  out.set_link_epoch(link_.epoch.value());
  out.set_version(revision_);
  int64_t lag = 0, lag_ms = 0, bytes = 0;
  int32_t partitions = 0;
  for (const auto& [topic, mirror] : mirrors_) {
    (*out.mutable_mirror_state_count())[std::string(name(mirror.state))] += 1;
    partitions += static_cast<int32_t>(mirror.pumps.size());
  }
  for (const auto& p : replicator_.progress()) {
    lag += p.pump.lag_offsets;
    lag_ms = std::max(lag_ms, ms(p.pump.lag));
    bytes += static_cast<int64_t>(p.pump.bytes);
  }
  out.set_mirror_topics(static_cast<int32_t>(mirrors_.size()));
  out.set_mirror_partitions(partitions);
  out.set_lag_records(lag);
  out.set_lag_ms_max(lag_ms);
  out.set_bytes_total(bytes);
  out.set_bytes_per_second(bytes_per_second_);
  out.set_last_source_contact_ms_ago(ms(env_.now() - last_source_contact_));
  for (const LinkTask* task : {&discovery_, &configs_, &groups_}) {
    auto& row = *out.add_tasks();
    row.set_name(task->name);
    const bool off = task == &groups_ && !link_.spec.group_sync;
    row.set_state(task->error.code != ErrorCode::kNone       ? "IN_ERROR"
                  : off || link_.state != LinkState::kActive ? "PAUSED"
                  : task->runs == 0                          ? "NOT_RUNNING"
                                                             : "ACTIVE");
    if (task->error.code != ErrorCode::kNone) row.set_error(task->error.to_string());
    row.set_last_run_ms(task->last_run_ms);
    row.set_runs(task->runs);
  }
  return out;
}

LinkReading LinkController::read(size_t topics_max) const {
  LinkReading reading;
  reading.link = describe();
  for (const auto& entry : mirrors_) {
    if (reading.topics.size() == topics_max) break;
    reading.topics.push_back(*describe_mirror(entry.first));
  }
  reading.topics_not_shown = mirrors_.size() - reading.topics.size();
  reading.counters = replicator_.counters();
  reading.load = replicator_.load();
  for (const LinkTask* task : {&discovery_, &configs_, &groups_}) {
    TaskReading& to = reading.tasks.emplace_back();
    to.name = task->name;
    to.runs = static_cast<uint64_t>(task->runs);
    to.errors = static_cast<uint64_t>(task->errors);
    to.in_error = task->error.code != ErrorCode::kNone;
  }
  return reading;
}

}  // namespace farshore::linker
