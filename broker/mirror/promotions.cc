#include "broker/mirror/promotions.h"

#include <algorithm>
#include <utility>

#include "base/gate.h"
#include "broker/mirror/internal/held_partition.h"
#include "broker/mirror/internal/promotion_finish.h"
#include "broker/mirror/internal/split_transactions.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

// Whoever waits for `synced` may leave before: a disk has no deadline.
Task<void> sync_log(PartitionPtr partition, Wait<void> synced) {
  auto flushed = co_await partition->log().flush();
  synced.complete(std::move(flushed));
}

// The locks are held meanwhile, and the record must be written before `valid_until`: at most half of the time that is
// left.
Deadline half_of_time_left(Env& env, WallTime valid_until, Deadline deadline) {
  if (valid_until < WallTime{0}) return deadline;
  const int64_t left_ms = valid_until.milliseconds_since_epoch - env.wall_now().milliseconds_since_epoch;
  return std::min(deadline, env.in(milliseconds(std::max<int64_t>(left_ms, 0) / 2)));
}

PromotionRecord::PartitionEnd offline_end(int32_t partition, const SourceSeen& source, LeadershipEpoch epoch) {
  PromotionRecord::PartitionEnd end = mirror_end(partition, Offset(-1));
  end.last_epoch = LogEpoch(-1);
  end.new_epoch = epoch;
  end.source_high_watermark = SourceOffset(source.high_watermark.value());
  end.blind_window_ms = -1;
  end.state = EndState::kOffline;
  return end;
}

}  // namespace

Promotions::Promotions(Env& env, SlabArena& arena, MetadataManager& metadata, PartitionTable& partitions,
                       ProducerIds& producer_ids, MirrorTargets& targets)
    : env_(env),
      metadata_(metadata),
      partitions_(partitions),
      targets_(targets),
      syncs_(env),
      finish_(std::make_unique<PromotionFinish>(env, arena, metadata, partitions, producer_ids, targets)) {}

Promotions::~Promotions() = default;

void Promotions::start() { finish_->retry(); }

Task<void> Promotions::stop() {
  co_await finish_->stop();
  co_await syncs_.close();
}

Task<Result<Promotions::Holding>> Promotions::hold(TopicPtr topic, Deadline deadline) {
  Holding holding;
  for (const auto& image : topic->partitions) {
    auto partition = usable_partition(partitions_, topic->id, image.partition);
    if (!partition && !is_offline(partition.error())) co_return std::move(partition).error();
    Error why = partition ? Error() : partition.error();
    if (partition) {
      auto held = co_await hold_partition(targets_, std::move(*partition), deadline);
      if (held) {
        holding.held.push_back(std::move(*held));
        continue;
      }
      why = std::move(held).error();
    }
    if (!holding.offline) holding.offline = why.in("partition " + std::to_string(image.partition));
  }
  co_return std::move(holding);
}

Task<void> Promotions::sync(Holding& holding, Deadline deadline) {
  const MonoTime begun = env_.now();
  std::vector<Wait<void>> syncs;
  for (const auto& held : holding.held) {
    syncs.emplace_back(env_);
    if (!spawn(syncs_, "sync before the end", sync_log(held.partition, syncs.back())))
      syncs.back().complete(Error(ErrorCode::kClosed, "the broker stops"));
  }
  std::vector<HeldPartition> synced;
  for (size_t i = 0; i < syncs.size(); ++i) {
    auto done = co_await syncs[i].wait(deadline);
    if (done) {
      synced.push_back(std::move(holding.held[i]));
      continue;
    }
    Error why = std::move(done).error();
    if (why == ErrorCode::kTimedOut)
      why = Error(ErrorCode::kIo, "its log was not on the disk after " +
                                      std::to_string((env_.now() - begun) / milliseconds(1)) +
                                      " ms: the disk is too slow, or hangs");
    if (!holding.offline)
      holding.offline = why.in("partition " + std::to_string(holding.held[i].partition->partition()) + ": sync");
  }
  holding.held = std::move(synced);
}

Refusal Promotions::check(const Holding& holding, const PromotionPlan& plan) {
  if (holding.offline && holding.held.empty()) return refusal_of(*holding.offline);
  if (holding.offline && plan.kind == PromotionKind::kPromote)
    return {Code::kKafkaStorageError, holding.offline->to_string() +
                                          "; a promote needs all partitions: repair it, or fail over, which does not "
                                          "wait for it"};
  for (const auto& held : holding.held) {
    const auto p = static_cast<size_t>(held.partition->partition());
    const Offset end = held.partition->ends().end;
    if (p < plan.ends.size() && plan.ends[p] && end < *plan.ends[p])
      return {Code::kOffsetOutOfRange, "partition " + std::to_string(p) + " is mirrored to " +
                                           std::to_string(end.value()) + " of " +
                                           std::to_string(plan.ends[p]->value())};
  }
  return {};
}

Task<PromotionRecord> Promotions::record_of(TopicPtr topic, const std::vector<HeldPartition>& held,
                                            const PromotionPlan& plan, Deadline deadline) {
  const WallTime now = env_.wall_now();
  const LeadershipEpoch epoch = next_epoch(held);
  PromotionRecord record;
  record.kind = plan.kind;
  record.wall_ms = now.milliseconds_since_epoch;
  record.link = topic->mirror->link;
  record.source_cluster_id = topic->mirror->source_cluster_id;
  record.source_topic = topic->mirror->source_topic;
  size_t next = 0;
  for (const auto& image : topic->partitions) {
    if (next < held.size() && held[next].partition->partition() == image.partition)
      record.partitions.push_back(end_of(held[next++], epoch, now));
    else
      record.partitions.push_back(
          offline_end(image.partition, targets_.target(topic->id, image.partition)->source, epoch));
  }
  co_await find_torn(env_, metadata_, partitions_, topic, record, half_of_time_left(env_, plan.valid_until, deadline));
  co_return record;
}

Task<Result<TopicPtr>> Promotions::write(TopicPtr topic, PromotionRecord record, WallTime valid_until,
                                         Deadline deadline) {
  const LinkId link = topic->mirror->link;
  MetadataManager::TopicEdit edit = [&env = env_, record, link, valid_until](TopicImage& image) -> Status {
    if (valid_until >= WallTime{0} && env.wall_now() > valid_until)
      return Error(ErrorCode::kTimedOut, "who asked for it has given it up meanwhile");
    if (!image.mirror || image.mirror->link != link || image.mirror->ended())
      return Error(ErrorCode::kConflict, "the topic is no mirror of this link any more");
    if (image.partitions.size() != record.partitions.size())
      return Error(ErrorCode::kConflict, "the topic has grown meanwhile: ask again");
    image.mirror->end(MirrorState::kPendingStopped, record);
    image.mirror->state_reason = std::string(name(record.kind));
    for (size_t i = 0; i < image.partitions.size(); ++i)
      image.partitions[i].leadership_epoch =
          std::max(image.partitions[i].leadership_epoch, record.partitions[i].new_epoch);
    return ok();
  };
  co_return co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
}

Task<PromotionOutcome> Promotions::end(TopicPtr topic, PromotionPlan plan, Deadline deadline) {
  PromotionOutcome outcome;
  // A promote needs every partition, so it waits for each of them.
  const bool failover = plan.kind == PromotionKind::kFailover;
  Deadline free_until = deadline;
  if (failover) free_until = std::min(deadline, env_.in(kHoldLimit));
  auto holding = co_await hold(topic, free_until);
  if (!holding) {
    outcome.refusal = refusal_of(holding.error());
    co_return outcome;
  }
  if (!plan.dry_run) {
    Deadline synced_until = half_of_time_left(env_, plan.valid_until, deadline);
    if (failover) synced_until = std::min(synced_until, env_.in(kSyncLimit));
    co_await sync(*holding, synced_until);
  }
  outcome.refusal = check(*holding, plan);
  if (outcome.refusal) co_return outcome;
  PromotionRecord record = co_await record_of(topic, holding->held, plan, deadline);
  if (plan.dry_run) {
    auto copy = std::make_shared<TopicImage>(*topic);
    copy->mirror->end(MirrorState::kPendingStopped, std::move(record));
    outcome.topic = copy;
    co_return outcome;
  }
  auto written = co_await write(topic, std::move(record), plan.valid_until, deadline);
  if (!written) {
    outcome.refusal = refusal_of(written.error());
    co_return outcome;
  }
  outcome.topic = *written;
  for (const auto& image : topic->partitions) {
    auto target = targets_.target(topic->id, image.partition);
    target->session = PumpSession(0);
    target->ended = true;
  }
  holding->held.clear();  // finish() takes the locks itself
  auto finished = co_await finish(outcome.topic, deadline);
  if (finished) {
    outcome.topic = *finished;
    co_return outcome;
  }
  env_.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
  finish_->retry();
  outcome.refusal = refusal_of(finished.error());
  co_return outcome;
}

Task<Result<TopicPtr>> Promotions::finish(TopicPtr topic, Deadline deadline) {
  co_return co_await finish_->run(std::move(topic), deadline);
}

}  // namespace farshore::broker
