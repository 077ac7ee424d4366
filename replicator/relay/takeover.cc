#include "replicator/relay/takeover.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proto/kafka/client/fence.h"
#include "proto/kafka/client/id_owner.h"

namespace farshore::replicator {

namespace {

constexpr Duration kWantedInterval = milliseconds(200);  // how often a wait looks whether it is still wanted

// The partition was relayed under another producer id than now.
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
                   "it over, or delete it at the target and resume it: then it is relayed from the source's start");
}

}  // namespace

RelayTakeover::RelayTakeover(const RelayTakeoverTools& tools, TakeoverSlots::Slot& slot, LinkPartition key,
                             SinkTarget target, std::function<bool()> wanted)
    : tools_(tools),
      env_(tools.env),
      cluster_(tools.cluster),
      journal_(tools.journal),
      options_(tools.options),
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
  CO_TRY(log_, co_await journal_.log_of(key_, deadline));
  CO_CHECK(still_wanted());
  // The ends first: decide() trusts the memory only as far as they reach.
  CO_TRY(before_.log_start, co_await tools_.questions.log_start(at_, deadline));
  CO_TRY(before_.high_watermark, co_await tools_.questions.high_watermark(at_, deadline));
  CO_TRY(remembered_, co_await tools_.questions.remembered(at_, deadline));
  CO_CHECK(still_wanted());
  RelayLogWriter writer;
  CO_CHECK(co_await take(writer, deadline));
  if (names_another(claims_, taken_.producer)) CO_CHECK(co_await take_from_another_id());
  CO_CHECK(co_await lower_to_epoch_end(limit()));
  CO_CHECK(co_await scan());
  CO_CHECK(decide());
  CO_CHECK(co_await confirm_ownership());
  CO_CHECK(co_await write_down());
  CO_TRY(kafka::Leader leader, co_await cluster_.leader(at_, limit()));
  taken_.broker = leader.broker;
  co_return std::move(taken_);
}

Task<Status> RelayTakeover::check_topic(Deadline deadline) {
  CO_TRY(kafka::Leader leader, co_await cluster_.leader(at_, deadline));
  auto another = [&] {
    return !target_.topic_id.is_zero() && !leader.topic_id.is_zero() &&
           TargetTopicId(leader.topic_id) != target_.topic_id;
  };
  if (another()) {  // or what is remembered here is older than the topic that was made for this link
    std::vector<std::string> topics{at_.topic};
    CO_CHECK(co_await cluster_.refresh(std::move(topics), deadline));
    CO_TRY(leader, co_await cluster_.leader(at_, deadline));
  }
  if (another())
    co_return Error(ErrorCode::kInvalidArgument,
                    "target topic " + at_.topic + " was deleted and made anew: its id is " +
                        leader.topic_id.to_string() + ", relayed to was " + target_.topic_id.to_string());
  taken_.topic_id = leader.topic_id;
  co_return ok();
}

Task<Status> RelayTakeover::take(RelayLogWriter writer, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    CO_TRY(const RelayShards::Fenced fenced, co_await tools_.shards.fence(key_, at_, log_, deadline));
    CO_CHECK(still_wanted());
    taken_.producer = fenced.producer;
    taken_.session = fenced.session;
    taken_.owned_at = fenced.asked;
    writer.producer = fenced.log;
    auto claims = co_await journal_.take_over(key_, writer, taken_.owned_at + options_.ownership_max, deadline);
    if (claims) {
      claims_ = std::move(*claims);
      co_return still_wanted();
    }
    const Error why = std::move(claims).error();
    if (auto session = tools_.shards.check(key_, fenced.session); !session) co_return session;
    if (why != ErrorCode::kAmbiguous || attempt > 0) co_return why;
    const Error ended(ErrorCode::kUnavailable, "the log of record is fenced anew: " + why.to_string());
    tools_.shards.end(relay_shard_id(key_), fenced.session, ended);
  }
}

Task<Result<std::optional<kafka::ProducerIdentity>>> RelayTakeover::fence_partition_id(Deadline deadline) {
  std::optional<kafka::ProducerIdentity> former;
  std::string id = relay_partition_id(key_);
  std::vector<std::string> ids{id};
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), deadline);
  if (!owners && owners.error() != ErrorCode::kUnsupported) co_return std::move(owners).error();
  if (owners) {
    auto owner = owners->find(id);
    if (owner == owners->end())
      co_return Error(ErrorCode::kUnavailable, "the coordinator of " + id + " does not answer");
    if (!owner->second) co_return former;
  }
  std::vector<TopicPartition> both{at_, log_};
  CO_TRY(former, co_await kafka::fence(cluster_, std::move(id), std::move(both), deadline));
  co_return former;
}

Task<Status> RelayTakeover::take_from_another_id() {
  renamed_ = true;
  RelayLogWriter writer;
  CO_TRY(writer.former, co_await fence_partition_id(limit()));
  CO_CHECK(still_wanted());
  if (!writer.former || names_another(claims_, *writer.former)) {
    CO_CHECK(co_await wait_for_old_producer());
    writer.former_has_stopped = true;
  }
  co_return co_await take(writer, limit());
}

Task<Status> RelayTakeover::confirm_ownership() {
  const MonoTime asked = env_.now();
  CO_CHECK(tools_.shards.check(key_, taken_.session));
  if (asked - taken_.owned_at < options_.ownership_max / 2 || options_.test_only_skip_ownership) co_return ok();
  const auto session = tools_.shards.session(key_);
  std::vector<std::string> ids{session->id};
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), env_.in(options_.timeout));
  if (owners) CO_CHECK(tools_.shards.judge(*session, *owners));
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
  CO_TRY(auto end, co_await tools_.questions.end_of_epoch(at_, claims_.last_run->target_epoch, deadline));
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
  CO_TRY(scan_to_min_, co_await tools_.questions.high_watermark(at_, limit()));
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
    const RelayScanTools tools{env_, cluster_, tools_.questions, tools_.scans};
    CO_TRY(scanned_, co_await scan_relayed(tools, std::move(range), options_.takeover_limit));
    CO_CHECK(still_wanted());
    // A claim beyond our own marker: the target lost its end, and cannot say so by epochs.
    if (lowered || !claims_.last_run || claims_.last_run->target_end() <= scanned_.to) co_return ok();
    CO_CHECK(co_await lower_claim(before_.high_watermark));
  }
}

Task<Status> RelayTakeover::write_down() {
  CO_CHECK(still_wanted());
  for (const TranslationRun& run : taken_.resume.found) journal_.relayed(key_, run);
  if (!taken_.gave_up && !renamed_) co_return ok();
  RelayAnchor here;
  here.producer = taken_.producer;
  here.source = taken_.resume.source;
  here.source_epoch = taken_.resume.source_epoch;
  here.target_from = taken_.target_end;
  here.settles = taken_.gave_up;
  auto written = co_await journal_.write_anchor(key_, here, env_.in(options_.timeout));
  CO_CHECK(still_wanted());
  if (written || !taken_.gave_up) co_return ok();  // without it the next takeover asks, and waits, once more
  co_return Error(ErrorCode::kUnavailable, written.error().to_string())
      .in("anchor of " + at_.topic + "-" + std::to_string(at_.partition));
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
