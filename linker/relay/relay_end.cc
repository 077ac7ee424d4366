#include "linker/relay/relay_end.h"

#include <algorithm>
#include <limits>

namespace farshore::linker {
namespace {

constexpr int32_t kPartitionsAtOnceMax = 1000;  // the sink limits how many of them work, and not only wait
// Of a partition that cannot be taken over: a target elects a new leader within this time, if it has one.
constexpr Duration kOfflinePatience = seconds(10);
constexpr Duration kLeaderLookEvery = seconds(1), kLeaderLookLimit = seconds(5);
constexpr Duration kClaimsLimit = seconds(20);

Error no_leader() { return {ErrorCode::kUnavailable, "the target has no leader for the partition"}; }

}  // namespace

Task<Result<PromotionRecord>> RelayEnd::run(Deadline deadline) {
  CO_CHECK(co_await relay_.topics.load(deadline));  // the target answers now
  CO_CHECK(wanted());
  const RelayTopic* before = relay_.topics.find(request_.topic.topic);
  if (!before || before->id.is_zero())
    co_return Error(ErrorCode::kInvalidArgument,
                    "nothing was relayed into topic " + request_.topic.topic + ": there is nothing to end");
  RelayTopic topic = *before;
  PromotionRecord record;
  record.kind = request_.ends ? PromotionKind::kPromote : PromotionKind::kFailover;
  record.wall_ms = relay_.env.wall_now().milliseconds_since_epoch;
  if (!request_.dry_run)
    for (const auto& key : request_.pumps) pumps_.pause(key);
  co_await look_for_leaders();
  co_await end_partitions(topic, deadline);
  for (auto& [p, ended] : ended_) {
    if (!ended) co_return std::move(ended).error();
    const int64_t wanted = end_to_reach(p);
    if (ended->failover_offset.value() < wanted)
      co_return Error(ErrorCode::kConflict, "partition " + std::to_string(p) + " is relayed up to " +
                                                std::to_string(ended->failover_offset.value()) +
                                                ", the source ends at " + std::to_string(wanted));
    record.partitions.push_back(std::move(*ended));
  }
  add_what_was_seen(record, request_.pumps, pumps_, relay_.env.now());
  if (request_.dry_run) co_return record;
  RelayTopicStore::Change end = [this, &record](RelayTopic& stored) {
    Status still = wanted();
    if (still && !stored.promotion) stored.promotion = record;  // by another verb meanwhile: that end stays
    return still;
  };
  CO_TRY(topic, co_await relay_.topics.change(topic.topic, std::move(end), deadline));
  record = *topic.promotion;
  if (!topic.caught_up) co_await restore_retention(std::move(topic), deadline);
  co_return record;
}

// Side by side: a takeover waits for round trips to the target, and sometimes half a minute for a former owner.
Task<void> RelayEnd::end_partitions(RelayTopic topic, Deadline deadline) {
  Gate gate(relay_.env);
  next_ = 0;
  for (int32_t i = 0; i < std::min(topic.partitions, kPartitionsAtOnceMax); ++i)
    spawn(gate, "relay end", end_next(topic, deadline));
  co_await gate.close();
}

Task<void> RelayEnd::end_next(RelayTopic topic, Deadline deadline) {
  while (next_ < topic.partitions) {
    const int32_t p = next_++;
    const LinkPartition key{relay_.link, topic.source_id, PartitionId(p)};
    const bool pumped = static_cast<size_t>(p) < request_.pumps.size();
    auto ended = co_await end_partition(key, pumped && !request_.dry_run, deadline);
    if (ended && !pumped) ended->note = "by what was written down: nothing is relayed any more";
    if (!ended && may_stay_open(ended.error())) ended = open_end(key, ended.error());
    ended_.emplace(p, std::move(ended));
  }
}

Status RelayEnd::wanted() const {
  if (!request_.wanted || request_.wanted()) return ok();
  return Error(ErrorCode::kClosed, "given up by who asked for it");
}

bool RelayEnd::may_stay_open(const Error& why) const { return !request_.ends && error_retriable(why.code); }

PromotionRecord::PartitionEnd RelayEnd::open_end(const LinkPartition& key, const Error& why) const {
  PromotionRecord::PartitionEnd out;
  out.partition = key.partition.value();
  out.state = EndState::kOffline;
  out.failover_offset = SourceOffset(-1);
  out.new_epoch = LeadershipEpoch(-1);
  out.last_epoch = LogEpoch(-1);
  out.blind_window_ms = -1;
  out.note = "not ended yet, it is tried again every few seconds: " + why.to_string();
  if (auto progress = pumps_.progress(key)) out.source_high_watermark = progress->pump.source.high_watermark;
  return out;
}

Task<void> RelayEnd::look_for_leaders() {
  if (looked_ != MonoTime() && relay_.env.now() - looked_ < kLeaderLookEvery) co_return;
  looked_ = relay_.env.now();
  std::vector<std::string> names{request_.topic.topic};
  auto looked = co_await relay_.target.client().refresh(std::move(names), relay_.env.in(kLeaderLookLimit));
  (void)looked;  // without an answer the takeover finds out
}

bool RelayEnd::has_leader(int32_t partition) const {
  const auto view = relay_.target.client().view();
  const auto* known = view->partition(request_.topic.topic, partition);
  return !known || known->leader >= 0;
}

int64_t RelayEnd::end_to_reach(int32_t partition) const {
  if (!request_.ends) return std::numeric_limits<int64_t>::min();
  auto found = request_.ends->find(partition);
  return found == request_.ends->end() ? 0 : found->second;
}

Task<Result<PromotionRecord::PartitionEnd>> RelayEnd::claimed_end(LinkPartition key, Deadline deadline) {
  PromotionRecord::PartitionEnd out;
  out.partition = key.partition.value();
  out.new_epoch = LeadershipEpoch(-1);  // the epochs of a Kafka target are its own
  out.last_epoch = LogEpoch(-1);
  out.blind_window_ms = -1;  // unless this gateway has heard the source: add_what_was_seen()
  CO_TRY(auto claims, co_await relay_.journal.claims(key, deadline));
  const auto known = known_end(claims.anchors, claims.last_run);
  if (!known) co_return out;
  out.failover_offset = known->source;
  out.failover_target_offset = known->target;
  out.last_epoch = known->epoch;
  co_return out;
}

Task<Result<PromotionRecord::PartitionEnd>> RelayEnd::end_partition(LinkPartition key, bool may_take_over,
                                                                    Deadline deadline) {
  if (request_.dry_run && !request_.ends && !has_leader(key.partition.value())) co_return no_leader();
  const Deadline patience = request_.ends ? deadline : std::min(deadline, relay_.env.in(kClaimsLimit));
  CO_TRY(auto out, co_await claimed_end(key, patience));
  auto progress = pumps_.progress(key);
  if (progress) out.source_high_watermark = progress->pump.source.high_watermark;
  if (progress && !may_take_over) out.failover_offset = progress->pump.target_end;
  if (may_take_over) CO_CHECK(co_await take_over(key, out, deadline));
  out.lost_at_least_records = std::max<int64_t>(0, out.source_high_watermark - out.failover_offset);
  co_return out;
}

Task<Result<replicator::TargetState>> RelayEnd::take_over_once(LinkPartition key) {
  if (!request_.ends && !has_leader(key.partition.value())) co_return no_leader();
  co_return co_await relay_.sink.open(key);
}

Task<Status> RelayEnd::take_over(LinkPartition key, PromotionRecord::PartitionEnd& out, Deadline deadline) {
  const Deadline patience = request_.ends ? deadline : std::min(deadline, relay_.env.in(kOfflinePatience));
  for (;;) {
    auto state = co_await take_over_once(key);
    if (state) {
      // The takeover may have found more at the target than was written down.
      CO_TRY(auto claimed, co_await claimed_end(key, deadline));
      out.failover_offset = state->end;
      out.failover_target_offset = claimed.failover_target_offset;
      out.last_epoch = state->last_epoch;
      co_return ok();
    }
    // kClosed: somebody else opens the partition, or the gateway stops. Then nobody knows that nothing is on its way.
    if (state.error() == ErrorCode::kFenced || state.error() == ErrorCode::kClosed)
      co_return std::move(state).error().in("takeover of partition " + std::to_string(out.partition));
    if (!error_retriable(state.error().code)) {
      out.note = "by what was written down: " + state.error().to_string();
      co_return ok();
    }
    if (patience.passed(relay_.env.now())) co_return std::move(state).error();
    CO_CHECK(wanted());
    CO_CHECK(co_await relay_.target.client().pause(2, deadline));
    co_await look_for_leaders();
  }
}

Task<void> RelayEnd::restore_retention(RelayTopic topic, Deadline deadline) {
  auto altered = co_await relay_.target.alter_topic_configs(topic.topic, topic.declared, deadline);
  if (!altered)
    relay_.env.log().error("the declared retention could not be set: the topic keeps everything until somebody does",
                           {{"topic", topic.topic}, {"error", altered.error()}});
}

}  // namespace farshore::linker
