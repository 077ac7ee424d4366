#include "linker/link/link_metrics.h"

#include "proto/link/link_state.h"
#include "proto/link/mirror_state.h"

namespace farshore::linker {
namespace {

// Families of one link: every series carries its name.
class Series {
 public:
  Series(MetricRegistry& registry, std::string link) : registry_(registry), link_(std::move(link)) {}
  void gauge(const char* name, const char* help, double value, MetricLabels labels = {}) {
    labels.emplace_back("link", link_);
    registry_.gauge(name, help, std::move(labels)).set(value);
  }
  // Unknown (negative) is not shown.
  void known_gauge(const char* name, const char* help, int64_t value, MetricLabels labels = {}) {
    if (value >= 0) gauge(name, help, static_cast<double>(value), std::move(labels));
  }
  // The object is new at each scrape, so the totals so far are added once.
  void counter(const char* name, const char* help, uint64_t value, MetricLabels labels = {}) {
    labels.emplace_back("link", link_);
    registry_.counter(name, help, std::move(labels)).add(value);
  }

 private:
  MetricRegistry& registry_;
  std::string link_;
};

MetricLabels kind(ErrorCode code) {
  std::string text(error_name(code));
  for (char& c : text)
    if (c == ' ') c = '_';
  return {{"kind", std::move(text)}};
}

uint64_t of(const std::map<ErrorCode, uint64_t>& errors, ErrorCode code) {
  auto found = errors.find(code);
  return found == errors.end() ? 0 : found->second;
}

void show_state(Series& to, const control::v1::Link& link) {
  for (LinkState state : kLinkStates)
    to.gauge("farshore_link_state", "1 for the state that the link is in, 0 for the others.",
             link.state() == name(state) ? 1 : 0, {{"state", std::string(name(state))}});
  to.gauge("farshore_link_info", "Always 1; the labels say what the link joins.", 1,
           {{"mode", link.spec().mode()},
            {"source_cluster_id", link.spec().source().cluster_id()},
            {"target_cluster_id", link.spec().target().cluster_id()}});
  to.gauge("farshore_link_epoch", "The link epoch; each gateway that takes the link over raises it.",
           static_cast<double>(link.link_epoch()));
  for (MirrorState state : kMirrorStates) {
    auto found = link.mirror_state_count().find(std::string(name(state)));
    to.gauge("farshore_link_mirror_topics", "Mirror topics by state.",
             found == link.mirror_state_count().end() ? 0 : static_cast<double>(found->second),
             {{"state", std::string(name(state))}});
  }
  auto left_out = link.mirror_state_count().find("LEFT_OUT");
  to.gauge("farshore_link_mirror_topics", "Mirror topics by state.",
           left_out == link.mirror_state_count().end() ? 0 : static_cast<double>(left_out->second),
           {{"state", "LEFT_OUT"}});
  to.gauge("farshore_link_mirror_partitions", "Partitions of the mirror topics that are being filled.",
           static_cast<double>(link.mirror_partitions()));
  to.gauge("farshore_link_fenced_source_topics",
           "Source topics to which clients cannot write because of this link: a promote is at work, or was done.",
           static_cast<double>(link.fenced_source_topics()));
  to.known_gauge("farshore_link_lag_records",
                 "Offsets that are known at the source and not yet at the target: a lower bound while partitions are "
                 "unknown. Absent: nothing is known.",
                 link.lag_records());
  to.known_gauge("farshore_link_lag_max_ms",
                 "For how long the oldest of them has been known; of the worst partition. Absent: nothing is known.",
                 link.lag_ms_max());
  to.gauge("farshore_link_lag_unknown_partitions",
           "Partitions that the source has not spoken of for 10 seconds: their lag is not known. A topic without pumps "
           "counts as one.",
           static_cast<double>(link.lag_unknown_partitions()));
  to.known_gauge("farshore_link_source_contact_age_ms",
                 "Time since the source last answered: during an outage the lag above is what was known before it. "
                 "Absent: it has not answered this gateway yet.",
                 link.last_source_contact_ms_ago());
  to.known_gauge("farshore_link_target_contact_age_ms",
                 "Time since the target last answered. Absent: it has not answered this link yet.",
                 link.last_target_contact_ms_ago());
}

void show_counters(Series& to, const replicator::ReplicatorCounters& counters) {
  to.counter("farshore_link_bytes_total", "Record batch bytes taken from the source, checked.", counters.bytes);
  to.counter("farshore_link_batches_total", "Record batches taken from the source, checked.", counters.batches);
  to.counter("farshore_link_corrupt_batches_total",
             "Batches or answers of the source that could not be taken: bad CRC, length, count, offsets or epochs.",
             counters.corrupt);
  for (const auto& [code, count] : counters.append_errors)
    to.counter("farshore_link_append_errors_total",
               "Appends that failed, once per partition, by the kind of error; they are made anew.", count, kind(code));
  for (const auto& [code, count] : counters.control_errors)
    to.counter("farshore_link_control_errors_total",
               "Opening, truncating or advancing a partition at the target failed, by the kind of error.", count,
               kind(code));
  to.counter("farshore_link_fenced_total", "Refusals because a newer gateway has the link.",
             of(counters.append_errors, ErrorCode::kFenced) + of(counters.control_errors, ErrorCode::kFenced));
  to.counter("farshore_link_divergences_total", "The source was found to have lost what was mirrored.",
             counters.divergences);
  to.counter("farshore_link_retention_gaps_total", "The source deleted records before they could be mirrored.",
             counters.gaps);
}

}  // namespace

void LinkMetrics::show(const std::vector<LinkReading>& links) {
  for (const auto& name : shown_) registry_.remove("link", name);
  shown_.clear();
  for (const auto& reading : links) {
    shown_.push_back(reading.link.spec().name());
    show_one(reading);
  }
}

void LinkMetrics::show_one(const LinkReading& reading) {
  Series to(registry_, reading.link.spec().name());
  show_state(to, reading.link);
  show_counters(to, reading.counters);
  to.gauge("farshore_link_appends_in_flight", "Append requests on their way to the target's brokers.",
           static_cast<double>(reading.load.appends_in_flight));
  to.gauge("farshore_link_held_bytes", "Bytes received and not yet acknowledged by the target.",
           static_cast<double>(reading.load.held_bytes));
  to.gauge("farshore_link_held_max_bytes", "Their limit (link.inflight.max.bytes); at it, fetching waits.",
           static_cast<double>(reading.load.held_bytes_max));
  for (const auto& task : reading.tasks) {
    const MetricLabels labels{{"task", task.name}};
    to.counter("farshore_link_task_runs_total", "Rounds of the link's periodic tasks.", task.runs, labels);
    to.counter("farshore_link_task_errors_total", "Rounds that failed.", task.errors, labels);
    to.gauge("farshore_link_task_in_error", "1 while the last round failed.", task.in_error ? 1 : 0, labels);
  }
  for (const auto& topic : reading.topics) {
    const MetricLabels labels{{"topic", topic.topic()}};
    to.known_gauge("farshore_link_topic_lag_records",
                   "Of one mirror topic: offsets known at the source, not at the target. Absent: not known.",
                   topic.lag_records(), labels);
    to.known_gauge("farshore_link_topic_lag_max_ms",
                   "Of one mirror topic: the lag of its worst partition. Absent: not known.", topic.lag_ms_max(),
                   labels);
  }
  for (const auto& [kind, total] : reading.losses) {
    const MetricLabels labels{{"kind", std::string(name(kind))}};
    to.counter("farshore_link_losses_total",
               "Ranges of records that were lost, by kind: not-mirrored, cut, kept (see farshore mirror describe). As "
               "stored at the target: not only of this gateway.",
               static_cast<uint64_t>(total.ranges), labels);
    to.counter("farshore_link_lost_offsets_total", "Offsets in these ranges, by kind.",
               static_cast<uint64_t>(total.offsets), labels);
  }
  to.gauge("farshore_link_topics_not_shown", "Mirror topics without series of their own (metrics.topics.max).",
           static_cast<double>(reading.topics_not_shown));
}

}  // namespace farshore::linker
