#include "tests/simulation/figures.h"

#include <algorithm>

#include "broker/broker.h"
#include "linker/link/model/lag_figures.h"

namespace farshore::simulation {
namespace {

// The target counts from when it got an append, and what that says of the source is older.
constexpr Duration kOnItsWay = seconds(10);
constexpr int64_t kFreshMs = linker::LagFigures::kFresh / milliseconds(1);

}  // namespace

void Figures::look() {
  note_source();
  linker::api::StatusRequest request;
  request.set_link(kLink);
  request.set_partitions(true);
  for (const GatewayNode& node : clusters_.gateways()) {
    if (!node.up()) continue;
    const auto status = node.gateway->status(request);
    if (!status) continue;  // this gateway has no such link now
    for (const auto& topic : status->mirrors()) check_topic(node, topic);
  }
}

void Figures::note_source() {
  Node& east = clusters_.east();
  if (!east.up()) return;
  const auto image = east.broker->image();
  for (const auto& [name, topic] : image->topics) {
    if (topic->internal) continue;
    for (int32_t i = 0; i < static_cast<int32_t>(topic->partitions.size()); ++i) {
      const auto partition = clusters_.partition(east, name, i);
      if (!partition || partition->topic_id() != topic->id) continue;
      source_[{topic->id.to_string(), i}].push_back(
          {clusters_.world().now(), east.env->index(), partition->ends().high_watermark.value()});
    }
  }
}

const Figures::Sample* Figures::sample_at(const std::vector<Sample>& samples, Duration at) const {
  const auto next =
      std::upper_bound(samples.begin(), samples.end(), at, [](Duration t, const Sample& s) { return t < s.at; });
  return next == samples.begin() ? nullptr : &*std::prev(next);
}

int64_t Figures::known_by(const std::string& source_topic_id, int32_t partition, Duration as_of, Duration until) const {
  for (const Duration lost : clusters_.east().lost_at)
    if (as_of <= lost && lost <= until) return -1;
  const auto found = source_.find({source_topic_id, partition});
  if (found == source_.end()) return -1;
  const Sample* last = sample_at(found->second, as_of);
  if (!last) return -1;
  const bool newest = last == &found->second.back();
  const uint32_t after = newest ? clusters_.east_process() : (last + 1)->process;
  return after == last->process ? last->high_watermark : -1;
}

bool Figures::one_process_since(const std::string& source_topic_id, int32_t partition, Duration at) const {
  const auto found = source_.find({source_topic_id, partition});
  if (found == source_.end()) return false;
  const Sample* last = sample_at(found->second, at);
  return last && last->process == clusters_.east_process();
}

int64_t Figures::highest(const std::string& source_topic_id, int32_t partition) const {
  const auto found = source_.find({source_topic_id, partition});
  int64_t highest = -1;
  if (found != source_.end())
    for (const Sample& sample : found->second) highest = std::max(highest, sample.high_watermark);
  return highest;
}

void Figures::check_topic(const GatewayNode& node, const linker::api::MirrorTopic& topic) {
  const std::string what = std::string(node.host) + " shows of " + topic.topic();
  if (topic.has_promotion()) return check_end(what, topic);
  int32_t unknown = 0;
  for (const auto& shown : topic.partitions()) {
    check_partition(what + "-" + std::to_string(shown.partition()), topic.source_topic_id(), shown);
    if (shown.last_contact_ms_ago() < 0 || shown.last_contact_ms_ago() > kFreshMs) ++unknown;
  }
  if (topic.lag_unknown_partitions() < unknown)
    clusters_.history().violation(what + " " + std::to_string(topic.lag_unknown_partitions()) +
                                  " partitions of unknown lag, and there are " + std::to_string(unknown));
  if (topic.lag_unknown_partitions() > 0 && topic.lag_records() == 0)
    clusters_.history().violation(what + " a lag of 0, and some of its partitions are not known");
}

void Figures::check_partition(const std::string& what, const std::string& source_id,
                              const linker::api::MirrorPartition& shown) {
  History& history = clusters_.history();
  const int64_t ago = shown.last_contact_ms_ago();
  // What is missing for certain is shown also then; it may be known since a moment ago, from an answer on its way.
  const bool shown_as_known = shown.lag_records() == 0 || (shown.lag_records() < 0 && shown.lag_ms() >= 0);
  if ((ago < 0 || ago > kFreshMs) && shown_as_known)
    history.violation(what + " a lag of " + std::to_string(shown.lag_records()) + " records and " +
                      std::to_string(shown.lag_ms()) + " ms, and the source spoke of it " + std::to_string(ago) +
                      " ms ago");
  if (ago < 0) return;
  // The figure's age is cut to whole milliseconds.
  const Duration now = clusters_.world().now();
  const int64_t truth = known_by(source_id, shown.partition(), now - milliseconds(ago) - milliseconds(1), now);
  if (truth < 0) return;
  if (shown.source_high_watermark() < truth)
    history.violation(what + " the source at " + std::to_string(shown.source_high_watermark()) + ", as of " +
                      std::to_string(ago) + " ms ago, when it was at " + std::to_string(truth));
  if (shown.lag_records() >= 0 && shown.mirrored_end_offset() >= 0 &&
      shown.lag_records() < truth - shown.mirrored_end_offset())
    history.violation(what + " a lag of " + std::to_string(shown.lag_records()) + ", mirrored to " +
                      std::to_string(shown.mirrored_end_offset()) + ", as of " + std::to_string(ago) +
                      " ms ago, when the source was at " + std::to_string(truth));
}

// The report of an end: what it says of the source is as new as the blind window says.
void Figures::check_end(const std::string& what, const linker::api::MirrorTopic& topic) {
  if (clusters_.clock_jumps()) return;  // the report is dated by a clock that jumped
  for (const auto& end : topic.promotion().partitions()) {
    const std::string where = what + "-" + std::to_string(end.partition());
    if (end.failover_offset() >= 0 &&
        end.lost_at_least_records() != std::max<int64_t>(0, end.source_high_watermark() - end.failover_offset()))
      clusters_.history().violation(where + " " + std::to_string(end.lost_at_least_records()) + " lost, an end at " +
                                    std::to_string(end.failover_offset()) + " and a source at " +
                                    std::to_string(end.source_high_watermark()));
    if (end.blind_window_ms() < 0) continue;
    const Duration late = milliseconds(1) + (said_by_target(topic, end) ? kOnItsWay : Duration(0));
    const Duration ended = clusters_.since_begin(topic.promotion().wall_ms());
    const Duration heard = ended - milliseconds(end.blind_window_ms()) - late;
    // The gateway adds what it has heard when the target's answer is there.
    const int64_t truth = known_by(topic.source_topic_id(), end.partition(), heard, ended + kOnItsWay);
    if (truth > end.source_high_watermark())
      clusters_.history().violation(where + " the source at " + std::to_string(end.source_high_watermark()) +
                                    " when it ended, blind for " + std::to_string(end.blind_window_ms()) +
                                    " ms; before that it was at " + std::to_string(truth));
  }
}

// The figures are those of the target's own record: nobody who heard the source itself has added any.
bool Figures::said_by_target(const linker::api::MirrorTopic& topic, const linker::api::PromotionPartition& end) const {
  if (!clusters_.west().up()) return true;
  const auto image = clusters_.west().broker->image();
  const auto* there = image->topic(topic.topic());
  if (!there || !there->mirror || !there->mirror->promotion()) return true;
  for (const auto& own : there->mirror->promotion()->partitions)
    if (own.partition == end.partition()) return own.blind_window_ms == end.blind_window_ms();
  return true;
}

}  // namespace farshore::simulation
