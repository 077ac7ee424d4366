#include "linker/link/link_view.h"

#include <algorithm>

#include "linker/link/model/topic_view.h"

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

void fill_cluster(api::Cluster& to, const std::vector<Endpoint>& bootstrap, const std::string& cluster_id,
                  const std::string& kind) {
  to.set_bootstrap(to_string(bootstrap));
  to.set_cluster_id(cluster_id);
  to.set_kind(kind);
}

const char* state_of(const TaskReport& task) {
  if (task.error.code != ErrorCode::kNone) return "IN_ERROR";
  if (!task.enabled) return "PAUSED";
  return task.runs == 0 ? "NOT_RUNNING" : "ACTIVE";
}

}  // namespace

api::Link LinkView::describe() const { return describe_as(link_.definition.spec()); }

api::Link LinkView::describe_as(const LinkSpec& spec) const {
  api::Link out;
  fill_spec(*out.mutable_spec(), spec);
  out.set_link_id(link_.definition.link().id.to_string());
  out.set_state(std::string(name(link_.status.state())));
  out.set_state_reason(link_.status.reason());
  out.set_state_since_ms(link_.status.since_ms());
  out.set_link_epoch(link_.definition.link().epoch.value());
  out.set_version(link_.definition.revision());
  fill_totals(out);
  out.set_bytes_per_second(bytes_per_second_);
  const auto contact = link_.status.last_source_contact();
  out.set_last_source_contact_ms_ago(contact ? ms(link_.env.now() - *contact) : -1);
  const auto target_contact = link_.status.last_target_contact();
  out.set_last_target_contact_ms_ago(target_contact ? ms(link_.env.now() - *target_contact) : -1);
  fill_tasks(out);
  return out;
}

void LinkView::fill_spec(api::LinkSpec& out, const LinkSpec& spec) const {
  out.set_name(spec.name);
  fill_cluster(*out.mutable_source(), spec.source, spec.source_cluster_id.value(),
               !link_.source.known()     ? "unknown"
               : link_.source.farshore() ? "farshore"
                                         : "kafka");
  fill_cluster(*out.mutable_target(), spec.target, spec.target_cluster_id.value(), link_.target.kind());
  out.set_mode(name(spec.mode));
  fill_filters(*out.mutable_topics(), spec.topics);
  fill_filters(*out.mutable_groups(), spec.groups);
  out.set_topic_prefix(spec.topic_prefix);
  out.set_group_sync(spec.group_sync);
  out.set_group_sync_interval_ms(spec.group_sync_interval_ms);
  out.set_topic_sync_interval_ms(spec.topic_sync_interval_ms);
  for (const auto& key : spec.config_include) out.add_config_include(key);
  out.set_on_divergence(name(spec.on_divergence));
  out.set_on_retention_gap(name(spec.on_retention_gap));
  out.set_topic_config_defaults(name(spec.config_defaults));
}

void LinkView::fill_totals(api::Link& out) const {
  LagFigures lag;
  bool counted = false;
  int32_t partitions = 0;
  const auto& topics = link_.topics.all();
  for (const auto& entry : topics) {
    (*out.mutable_mirror_state_count())[std::string(shown_state(*entry.second, link_))] += 1;
    partitions += static_cast<int32_t>(entry.second->pumps().size());
    if (link_.fences.holds(entry.second->source_topic())) out.set_fenced_source_topics(out.fenced_source_topics() + 1);
    if (entry.second->left_out()) continue;
    lag.add(lag_of(*entry.second, link_));
    counted = true;
  }
  out.set_mirror_topics(static_cast<int32_t>(topics.size()));
  out.set_mirror_partitions(partitions);
  // A link that copies nothing has no lag: that would say that everything is there.
  out.set_lag_records(counted ? lag.records() : LagFigures::kUnknown);
  out.set_lag_ms_max(counted ? lag.ms_max() : LagFigures::kUnknown);
  out.set_lag_unknown_partitions(lag.unknown_partitions());
  out.set_bytes_total(static_cast<int64_t>(link_.replicator.bytes_received()));
  for (const auto& [kind, total] : losses()) {
    out.set_losses_total(out.losses_total() + total.ranges);
    out.set_lost_offsets_total(out.lost_offsets_total() + total.offsets);
  }
}

void LinkView::fill_tasks(api::Link& out) const {
  for (const TaskReport& task : tasks_) {
    auto& row = *out.add_tasks();
    row.set_name(task.name);
    row.set_state(state_of(task));
    if (task.error.code != ErrorCode::kNone) row.set_error(task.error.to_string());
    row.set_last_run_ms(task.last_run_ms);
    row.set_runs(task.runs);
    if (task.begun) row.set_last_begun_ms_ago(ms(link_.env.now() - *task.begun));
  }
}

std::optional<api::MirrorTopic> LinkView::describe_topic(const std::string& topic) const {
  const MirrorTopic* found = link_.topics.find(topic);
  if (!found) return std::nullopt;
  return linker::describe(*found, link_);
}

std::vector<api::MirrorTopic> LinkView::describe_topics() const {
  std::vector<api::MirrorTopic> out;
  for (const auto& entry : link_.topics.all()) out.push_back(linker::describe(*entry.second, link_));
  return out;
}

std::vector<std::string> LinkView::notes_on(const LinkSpec& spec) const {
  std::vector<std::string> notes;
  for (const auto& [name, topic] : link_.topics.all())
    if (topic->state() != MirrorState::kStopped && !topic->left_out() && !selected(spec.topics, topic->source_topic()))
      notes.push_back("mirror topic " + name +
                      " is not selected by these topics: it is mirrored all the same, until it is paused, promoted or "
                      "failed over");
  return notes;
}

std::map<LossKind, LossReport::Total> LinkView::losses() const {
  std::map<LossKind, LossReport::Total> sum;
  for (const auto& [name, topic] : link_.topics.all()) {
    const LossReport* report = link_.losses.find(name, topic->id());
    if (!report) continue;
    for (const auto& [kind, total] : report->totals) {
      sum[kind].ranges += total.ranges;
      sum[kind].offsets += total.offsets;
    }
  }
  return sum;
}

LinkReading LinkView::read(size_t topics_max) const {
  LinkReading reading;
  reading.link = describe();
  for (const auto& entry : link_.topics.all()) {
    if (reading.topics.size() == topics_max) break;
    reading.topics.push_back(linker::describe(*entry.second, link_));
  }
  reading.topics_not_shown = link_.topics.all().size() - reading.topics.size();
  reading.losses = losses();
  reading.counters = link_.replicator.counters();
  reading.load = link_.replicator.load();
  for (const TaskReport& task : tasks_) {
    TaskReading& to = reading.tasks.emplace_back();
    to.name = task.name;
    to.runs = static_cast<uint64_t>(task.runs);
    to.errors = static_cast<uint64_t>(task.errors);
    to.in_error = task.error.code != ErrorCode::kNone;
  }
  return reading;
}

}  // namespace farshore::linker
