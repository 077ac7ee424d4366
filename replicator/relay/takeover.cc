#include "replicator/relay/takeover.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proto/kafka/client/fence.h"
#include "proto/kafka/client/partition_reader.h"
#include "replicator/relay/target_memory.h"

namespace farshore::replicator {

namespace {

constexpr Duration kWantedInterval = milliseconds(200);  // how often a wait looks whether it is still wanted

// The target has given our transactional id another producer id: it has forgotten the old one.
bool names_another(const RelayClaims& claims, kafka::ProducerIdentity owner) {
  const RelayAnchor* newest = newest_anchor(claims.anchors);
  return newest && newest->producer.id != owner.id;
}

Error uncertain_error(const RelayUncertain& uncertain) {
  const bool open_end = uncertain.to.value() == std::numeric_limits<int64_t>::max();
  return Error(ErrorCode::kOutOfRange,
               "it is not known whether source offsets from " + std::to_string(uncertain.from.value()) +
                   (open_end ? " on" : " to " + std::to_string(uncertain.to.value())) + " are at the target (" +
                   uncertain.reason +
                   "): compare both topics; then go on with 'farshore mirror resume --go-on-at PARTITION:OFFSET', fail "
                   "it over, or delete it at the target and create a new link");
}

}  // namespace

RelayTakeover::RelayTakeover(Env& env, kafka::ClusterClient& cluster, RelayJournal& journal,
                             const RelaySinkOptions& options, TakeoverSlots::Slot& slot, LinkPartition key,
                             SinkTarget target, std::function<bool()> wanted)
    : env_(env),
      cluster_(cluster),
      journal_(journal),
      options_(options),
      slot_(slot),
      key_(key),
      target_(std::move(target)),
      at_{target_.topic, key.partition.value()},
      wanted_(std::move(wanted)) {}

Status RelayTakeover::still_wanted() const {
  if (wanted_()) return ok();
  return Error(ErrorCode::kClosed, "the takeover is not wanted any more");
}

Task<Result<RelayTakenOver>> RelayTakeover::run() {
  const Deadline deadline = limit();
  CO_CHECK(co_await check_topic(deadline));
  CO_TRY(taken_.log, co_await journal_.log_of(key_, deadline));
  CO_CHECK(still_wanted());
  CO_TRY(before_, co_await ends(deadline));
  CO_TRY(remembered_, co_await remembered_producers(cluster_, at_, deadline));
  CO_CHECK(still_wanted());
  CO_CHECK(co_await take(deadline));
  if (names_another(claims_, taken_.producer)) {
    CO_CHECK(co_await wait_for_old_producer());
    CO_CHECK(co_await take(limit()));
  }
  CO_CHECK(co_await lower_to_epoch_end(limit()));
  CO_CHECK(co_await scan());
  CO_CHECK(decide());
  CO_CHECK(co_await confirm_ownership());
  CO_TRY(kafka::Leader leader, co_await cluster_.leader(at_, limit()));
  taken_.broker = leader.broker;
  co_return std::move(taken_);
}

Task<Result<RelayTakeover::Ends>> RelayTakeover::ends(Deadline deadline) {
  CO_TRY(Offset start, co_await kafka::partition_offset(cluster_, at_, kafka::OffsetOf::kLogStart, deadline));
  CO_TRY(Offset end, co_await kafka::partition_offset(cluster_, at_, kafka::OffsetOf::kEnd, deadline));
  Ends found;
  found.log_start = TargetOffset(start.value());
  found.high_watermark = TargetOffset(end.value());
  co_return found;
}

Task<Status> RelayTakeover::check_topic(Deadline deadline) {
  CO_TRY(kafka::Leader leader, co_await cluster_.leader(at_, deadline));
  if (!target_.topic_id.is_zero() && !leader.topic_id.is_zero() && TargetTopicId(leader.topic_id) != target_.topic_id)
    co_return Error(ErrorCode::kInvalidArgument,
                    "target topic " + at_.topic + " was deleted and made anew: its id is " +
                        leader.topic_id.to_string() + ", relayed to was " + target_.topic_id.to_string());
  taken_.topic_id = leader.topic_id;
  co_return ok();
}

Task<Status> RelayTakeover::take(Deadline deadline) {
  taken_.taken = taken_.owned_at = env_.now();
  CO_CHECK(co_await fence_older_owners(deadline));
  CO_CHECK(still_wanted());
  CO_TRY(claims_,
         co_await journal_.take_over(key_, taken_.producer, taken_.owned_at + options_.ownership_max, deadline));
  co_return still_wanted();
}

Task<Status> RelayTakeover::fence_older_owners(Deadline deadline) {
  std::string transactional_id = relay_transactional_id(key_);
  if (options_.test_only_skip_marker) {
    CO_TRY(taken_.producer, co_await kafka::raise_epoch(cluster_, std::move(transactional_id), deadline));
  } else {
    std::vector<TopicPartition> both{at_, taken_.log};
    CO_TRY(taken_.producer, co_await kafka::fence(cluster_, std::move(transactional_id), std::move(both), deadline));
  }
  co_return ok();
}

Task<Status> RelayTakeover::confirm_ownership() {
  const MonoTime asked = env_.now();
  if (asked - taken_.owned_at < options_.ownership_max / 2 || options_.test_only_skip_ownership) co_return ok();
  const std::string id = relay_transactional_id(key_);
  std::vector<std::string> ids{id};
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), env_.in(options_.timeout));
  if (owners) CO_CHECK(relay_owner_is(*owners, id, taken_.producer));
  if (!owners && owners.error() != ErrorCode::kUnsupported) co_return std::move(owners).error();
  taken_.owned_at = asked;
  journal_.owned_until(key_, asked + options_.ownership_max);
  co_return ok();
}

Task<Status> RelayTakeover::lower_claim(TargetOffset target) {
  CO_CHECK(co_await confirm_ownership());
  CO_TRY(claims_, co_await journal_.lower_claim(key_, target, limit()));
  co_return ok();
}

// The target says that the epoch of the last claim ends below it: an unclean election took records away.
Task<Status> RelayTakeover::lower_to_epoch_end(Deadline deadline) {
  if (!claims_.last_run || claims_.last_run->target_epoch.value() < 0) co_return ok();
  CO_TRY(auto end, co_await end_of_epoch(cluster_, at_, claims_.last_run->target_epoch, deadline));
  if (!end || *end >= claims_.last_run->target_end()) co_return ok();
  env_.log().warn("the target lost relayed records", {{"topic", at_.topic},
                                                      {"partition", at_.partition},
                                                      {"from", end->value()},
                                                      {"claimed_to", claims_.last_run->target_end().value()}});
  co_return co_await lower_claim(*end);
}

// No marker of ours fences the old producer id. The takeover waits until its owner has stopped and its requests have
// arrived or are lost, and reads up to where the partition ends then.
Task<Status> RelayTakeover::wait_for_old_producer() {
  const Deadline until = env_.in(options_.old_producer_wait);
  slot_.leave();
  while (!until.passed(env_.now())) {
    co_await env_.sleep(std::min<Duration>(options_.old_producer_wait, kWantedInterval));
    CO_CHECK(still_wanted());
  }
  CO_CHECK(co_await slot_.enter(limit()));
  CO_TRY(Ends now, co_await ends(limit()));
  scan_to_min_ = now.high_watermark;
  co_return ok();
}

Task<Status> RelayTakeover::scan() {
  for (bool lowered = false;; lowered = true) {
    RelayScanRange range;
    range.at = at_;
    range.owner = taken_.producer;
    range.to_min = scan_to_min_;
    range.wait_for_marker = !options_.test_only_skip_marker;
    range.anchors = claims_.anchors;
    range.from = std::max(before_.log_start, std::min(scan_from(claims_), before_.high_watermark));
    if (options_.test_only_skip_scan) range.from = before_.high_watermark;
    CO_TRY(scanned_, co_await scan_relayed(env_, cluster_, std::move(range), options_.takeover_limit));
    CO_CHECK(still_wanted());
    // A claim beyond our own marker: the target lost its end, and cannot say so by epochs.
    if (lowered || !claims_.last_run || claims_.last_run->target_end() <= scanned_.to) co_return ok();
    CO_CHECK(co_await lower_claim(before_.high_watermark));
  }
}

Status RelayTakeover::decide() {
  RelayEvidence evidence;
  evidence.owner = taken_.producer;
  evidence.scanned_from = options_.test_only_skip_scan ? scan_from(claims_) : scanned_.from;
  evidence.scanned_to = taken_.target_end = scanned_.to;
  evidence.seen = std::move(scanned_.seen);
  // Records that were appended after the broker was asked, and deleted before the scan, cannot be detected.
  if (scanned_.from <= before_.high_watermark) evidence.remembered = std::move(remembered_);
  auto decided = resume_from(claims_, evidence);
  if (auto given = word_ ? farshore::replicator::go_on_at(*word_, claims_, decided) : std::nullopt) {
    taken_.gave_up = true;
    env_.log().warn("a partition goes on by the operator's word; what was before it is given up",
                    {{"topic", at_.topic}, {"partition", at_.partition}, {"source_offset", given->source.value()}});
    decided = std::move(*given);
  }
  if (auto* uncertain = std::get_if<RelayUncertain>(&decided)) return uncertain_error(*uncertain);
  taken_.resume = std::move(std::get<RelayResume>(decided));
  taken_.epoch = scanned_.epoch;
  return ok();
}

}  // namespace farshore::replicator
