#include "replicator/relay/takeover.h"

#include <algorithm>

#include "proto/kafka/client/fence.h"
#include "proto/kafka/client/partition_reader.h"
#include "replicator/relay/scan.h"
#include "replicator/target_memory.h"

namespace farshore::replicator {

namespace {

Error not_wanted() { return Error(ErrorCode::kClosed, "the takeover is not wanted any more"); }

// The target has given our transactional id another producer id: it has forgotten the old one.
bool names_another(const RelayClaims& claims, RelayProducer owner) {
  const RelayAnchor* newest = newest_anchor(claims.anchors);
  return newest && newest->producer.id != owner.id;
}

Error uncertain_error(const RelayUncertain& uncertain) {
  const bool open_end = uncertain.to.value() == std::numeric_limits<int64_t>::max();
  return Error(ErrorCode::kOutOfRange, "whether source offsets from " + std::to_string(uncertain.from.value()) +
                                           (open_end ? " on" : " to " + std::to_string(uncertain.to.value())) +
                                           " are at the target cannot be told: " + uncertain.reason);
}

struct TargetEnds {
  TargetOffset log_start, high_watermark;
};
Task<Result<TargetEnds>> ends_of(kafka::ClusterClient& cluster, TopicPartition at, Deadline deadline) {
  CO_TRY(Offset start, co_await kafka::partition_offset(cluster, at, kafka::OffsetOf::kLogStart, deadline));
  CO_TRY(Offset end, co_await kafka::partition_offset(cluster, at, kafka::OffsetOf::kEnd, deadline));
  TargetEnds ends;
  ends.log_start = TargetOffset(start.value());
  ends.high_watermark = TargetOffset(end.value());
  co_return ends;
}

}  // namespace

std::string relay_transactional_id(const PumpKey& key) {
  return "farshore." + key.link.to_string() + "." + key.source_topic.to_string() + "." +
         std::to_string(key.partition.value());
}

Task<Result<RelayTakenOver>> take_over(Env& env, kafka::ClusterClient& cluster, RelayJournal& journal,
                                       const RelaySinkOptions& options, RelayTakeoverOf what) {
  const TopicPartition at{what.target.topic, what.key.partition.value()};
  const Deadline deadline = env.in(options.takeover_limit);
  RelayTakenOver taken;
  CO_TRY(kafka::Leader leader, co_await cluster.leader(at, deadline));
  if (!what.target.topic_id.is_zero() && !leader.topic_id.is_zero() &&
      TargetTopicId(leader.topic_id) != what.target.topic_id)
    co_return Error(ErrorCode::kInvalidArgument, "target topic " + at.topic + " was deleted and made anew: its id is " +
                                                     leader.topic_id.to_string() + ", relayed to was " +
                                                     what.target.topic_id.to_string());
  taken.topic_id = leader.topic_id;
  CO_TRY(TopicPartition log, co_await journal.log_of(what.key, deadline));
  if (!what.wanted()) co_return not_wanted();

  // What the broker remembers is cleared by the marker: it is asked before.
  CO_TRY(TargetEnds before, co_await ends_of(cluster, at, deadline));
  CO_TRY(auto remembered, co_await remembered_producers(cluster, at, deadline));
  if (!what.wanted()) co_return not_wanted();
  if (options.test_only_skip_marker) {
    CO_TRY(taken.producer, co_await raise_epoch(cluster, what.transactional_id, deadline));
  } else {
    std::vector<TopicPartition> both{at, log};
    CO_TRY(taken.producer, co_await fence(cluster, what.transactional_id, std::move(both), deadline));
  }
  if (!what.wanted()) co_return not_wanted();
  CO_TRY(RelayClaims claims, co_await journal.take_over(what.key, taken.producer, deadline));
  if (!what.wanted()) co_return not_wanted();

  if (claims.last_run && claims.last_run->target_epoch.value() >= 0) {
    CO_TRY(auto end, co_await end_of_epoch(cluster, at, claims.last_run->target_epoch, deadline));
    if (end && *end < claims.last_run->target_end()) {
      env.log().warn("the target lost relayed records", {{"topic", at.topic},
                                                         {"partition", at.partition},
                                                         {"from", end->value()},
                                                         {"claimed_to", claims.last_run->target_end().value()}});
      CO_TRY(claims, co_await journal.lower_claim(what.key, *end, deadline));
    }
  }
  RelayScanRange range;
  range.at = at;
  range.owner = taken.producer;
  range.wait_for_marker = !options.test_only_skip_marker;
  if (names_another(claims, taken.producer)) {
    // No marker of ours fences the old id. Whatever it still has on its way is waited for.
    const Deadline until = env.in(options.old_producer_wait);
    while (!until.passed(env.now())) {
      co_await env.sleep(std::min<Duration>(options.old_producer_wait, milliseconds(200)));
      if (!what.wanted()) co_return not_wanted();
    }
    const Deadline again = env.in(options.takeover_limit);
    CO_TRY(TargetEnds now, co_await ends_of(cluster, at, again));
    range.to_min = now.high_watermark;
  }
  for (int lowered = 0;; ++lowered) {
    range.anchors = claims.anchors;
    range.from = std::max(before.log_start, std::min(scan_from(claims), before.high_watermark));
    if (options.test_only_skip_scan) range.from = before.high_watermark;
    CO_TRY(RelayScan scan, co_await scan_relayed(env, cluster, range, options.takeover_limit));
    if (!what.wanted()) co_return not_wanted();
    // A claim beyond our own marker: the target lost its end, and cannot say so by epochs.
    if (claims.last_run && claims.last_run->target_end() > scan.to && lowered == 0) {
      const Deadline again = env.in(options.takeover_limit);
      CO_TRY(claims, co_await journal.lower_claim(what.key, before.high_watermark, again));
      continue;
    }
    RelayEvidence evidence;
    evidence.owner = taken.producer;
    evidence.scanned_from = options.test_only_skip_scan ? scan_from(claims) : scan.from;
    evidence.scanned_to = taken.target_end = scan.to;
    evidence.seen = std::move(scan.seen);
    // What was appended after the question, and deleted before the scan, nobody remembers.
    if (scan.from <= before.high_watermark) evidence.remembered = std::move(remembered);
    auto decided = resume_from(claims, evidence);
    if (auto* uncertain = std::get_if<RelayUncertain>(&decided)) co_return uncertain_error(*uncertain);
    taken.resume = std::move(std::get<RelayResume>(decided));
    taken.epoch = scan.epoch;
    break;
  }
  const Deadline last = env.in(options.takeover_limit);
  CO_TRY(leader, co_await cluster.leader(at, last));
  taken.broker = leader.broker;
  co_return taken;
}

}  // namespace farshore::replicator
