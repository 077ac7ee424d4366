#include "broker/mirror/promotion.h"

#include <algorithm>

#include "broker/metadata/producer_ids.h"
#include "broker/mirror/split_transactions.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
// Far above anything the lost source can elect: it can never have the same epoch with other data.
constexpr int32_t kEpochStep = 1 << 16;

int64_t non_negative(int64_t n) { return std::max<int64_t>(n, 0); }

struct Held {  // one partition, locked
  PartitionPtr partition;
  std::shared_ptr<MirrorTargets::Target> target;
  AsyncMutex::Guard guard;
};

LeadershipEpoch next_epoch(const std::vector<Held>& held) {
  int32_t seen = 0;
  for (const auto& h : held) {
    seen = std::max({seen, h.partition->leadership_epoch().value(), h.partition->log().last_epoch().value(),
                     h.target->source.leader_epoch.value()});
  }
  return LeadershipEpoch((seen / kEpochStep + 1) * kEpochStep);
}

PromotionRecord::PartitionEnd end_of(const Held& held, LeadershipEpoch epoch, WallTime now) {
  const LogEnds ends = held.partition->ends();
  const SourceSeen& source = held.target->source;
  PromotionRecord::PartitionEnd end = mirror_end(held.partition->partition(), ends.end);
  end.last_epoch = held.partition->log().last_epoch();
  end.new_epoch = epoch;
  end.source_high_watermark = SourceOffset(source.high_watermark.value());
  end.lost_at_least_records = non_negative(source.high_watermark - ends.end);
  if (source.at.milliseconds_since_epoch >= 0)
    end.blind_window_ms = non_negative(now.milliseconds_since_epoch - source.at.milliseconds_since_epoch);
  else
    end.blind_window_ms = -1;  // not one word from the source since this broker started
  return end;
}

std::vector<EndedTransaction> open_in(const Held& held) {
  std::vector<EndedTransaction> open;
  for (const auto& producer : held.partition->log().producers())
    if (producer.txn_first) open.push_back({producer.producer_id, producer.producer_epoch, *producer.txn_first, {}});
  return open;
}

// Step 2 of one partition.
Task<Status> abort_open(Services& services, PartitionPtr partition, PromotionRecord::PartitionEnd end,
                        Deadline deadline) {
  auto target = services.mirrors.target(partition->topic_id(), partition->partition());
  auto guard = co_await target->lock.lock();  // nobody else writes the markers meanwhile
  // The markers are the first batches of the new lineage. After a restart the partition's epoch is higher than that.
  const LeadershipEpoch epoch = std::max(end.new_epoch, partition->leadership_epoch());
  CO_CHECK(co_await partition->set_leadership_epoch(epoch, /*begin_log_epoch=*/true));
  int64_t highest = -1;
  Offset last{-1};
  for (const auto& producer : partition->log().producers()) {
    highest = std::max(highest, producer.producer_id);
    if (!producer.txn_first || producer.txn_first->value() >= end.failover_target_offset.value()) continue;
    BatchBuilder builder;
    builder.producer(producer.producer_id, producer.producer_epoch, -1);
    builder.transactional();
    builder.add_marker(ControlType::kAbort, std::max(producer.coordinator_epoch, 0),
                       services.env.wall_now().milliseconds_since_epoch);
    CO_TRY(auto appended, co_await partition->append(builder.build_run(services.arena), AppendOrigin::kCoordinator));
    if (appended.outcome != AppendOutcome::kAppended)
      co_return Error(ErrorCode::kInternal, "an abort marker was refused: " + appended.refusal);
    last = appended.last;
    services.env.log().info("aborted a transaction that was open at the end of the mirror",
                            {{"topic", partition->topic()},
                             {"partition", partition->partition()},
                             {"producer_id", producer.producer_id},
                             {"first_offset", *producer.txn_first}});
  }
  if (last >= Offset(0)) CO_CHECK(co_await partition->wait_committed(last, deadline));
  // Ids of this cluster that came back with the data (a metadata store restored from a backup would give them again).
  if (highest >= 0) CO_CHECK(co_await services.producer_ids.never_below(highest, deadline));
  co_return ok();
}

}  // namespace

Task<PromotionOutcome> end_mirror(Services& services, TopicPtr topic, PromotionPlan plan, Deadline deadline) {
  PromotionOutcome outcome;
  std::vector<Held> held;
  for (const auto& image : topic->partitions) {
    auto partition = services.partitions.find(topic->id, image.partition);
    if (!partition) {
      outcome.problem = mirror_problem(partition.error());
      co_return outcome;
    }
    auto target = services.mirrors.target(topic->id, image.partition);
    auto guard = co_await target->lock.lock();
    held.push_back({*partition, target, std::move(guard)});
  }
  const WallTime now = services.env.wall_now();
  const LeadershipEpoch epoch = next_epoch(held);
  PromotionRecord record;
  record.kind = plan.kind;
  record.wall_ms = now.milliseconds_since_epoch;
  record.link = topic->mirror->link;
  record.source_cluster_id = topic->mirror->source_cluster_id;
  record.source_topic = topic->mirror->source_topic;
  for (size_t i = 0; i < held.size(); ++i) {
    const Offset end = held[i].partition->ends().end;
    if (i < plan.ends.size() && plan.ends[i] && end < *plan.ends[i]) {
      outcome.problem = {Code::kOffsetOutOfRange, "partition " + std::to_string(i) + " is mirrored to " +
                                                      std::to_string(end.value()) + " of " +
                                                      std::to_string(plan.ends[i]->value())};
      co_return outcome;
    }
    record.partitions.push_back(end_of(held[i], epoch, now));
    record.partitions.back().aborted = open_in(held[i]);
  }
  co_await find_torn(services, topic, record, deadline);
  if (plan.dry_run) {
    auto copy = std::make_shared<TopicImage>(*topic);
    copy->mirror->promotion = std::move(record);
    outcome.topic = copy;
    co_return outcome;
  }
  const LinkId link = topic->mirror->link;
  MetadataManager::TopicEdit edit = [record, epoch, link](TopicImage& image) -> Status {
    if (!image.mirror || image.mirror->link != link || image.mirror->ended())
      return Error(ErrorCode::kConflict, "the topic is no mirror of this link any more");
    if (image.partitions.size() != record.partitions.size())
      return Error(ErrorCode::kConflict, "the topic has grown meanwhile: ask again");
    image.mirror->state = MirrorState::kPendingStopped;
    image.mirror->state_reason = std::string(name(record.kind));
    image.mirror->promotion = record;
    for (auto& partition : image.partitions) partition.leadership_epoch = std::max(partition.leadership_epoch, epoch);
    return ok();
  };
  auto changed = co_await services.metadata.update_topic(topic->id, std::move(edit), deadline);
  if (!changed) {
    outcome.problem = mirror_problem(changed.error());
    co_return outcome;
  }
  outcome.topic = *changed;
  for (auto& h : held) {
    h.target->session = PumpSession(0);
    h.target->ended = true;
  }
  held.clear();
  auto finished = co_await finish_promotion(services, *changed, deadline);
  if (!finished) {
    services.env.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
    services.mirrors.unfinished();
    outcome.problem = mirror_problem(finished.error());
    co_return outcome;
  }
  outcome.topic = *finished;
  co_return outcome;
}

Task<Result<TopicPtr>> finish_promotion(Services& services, TopicPtr topic, Deadline deadline) {
  if (!topic->mirror || !topic->mirror->ended() || topic->mirror->writable()) co_return topic;
  for (const auto& end : topic->mirror->promotion->partitions) {
    CO_TRY(auto partition, services.partitions.find(topic->id, end.partition));
    CO_CHECK(co_await abort_open(services, partition, end, deadline));
  }
  MetadataManager::TopicEdit edit = [](TopicImage& image) -> Status {
    if (!image.mirror || !image.mirror->ended()) return Error(ErrorCode::kConflict, "the topic is no ended mirror");
    image.mirror->state = MirrorState::kStopped;
    return ok();
  };
  CO_TRY(auto changed, co_await services.metadata.update_topic(topic->id, std::move(edit), deadline));
  CO_CHECK(co_await services.partitions.wait_for(services.metadata.image()->revision, deadline));
  co_return changed;
}

void MirrorTargets::start() { unfinished(); }

void MirrorTargets::unfinished() {
  if (finishing_) return;
  finishing_ = true;
  if (!spawn(gate_, "unfinished promotions", finish_loop())) finishing_ = false;  // stopping: the next start goes on
}

Task<void> MirrorTargets::stop() {
  stopping_.set();
  co_await gate_.close();
}

Task<void> MirrorTargets::finish_loop() {
  constexpr Duration kLimit = seconds(30), kPause = seconds(1);
  bool again = true;
  while (again && !stopping_.is_set()) {
    again = false;
    ImagePtr image = services_.metadata.image();
    for (const auto& entry : image->topics) {
      TopicPtr topic = entry.second;
      if (!topic->mirror || !topic->mirror->ended() || topic->mirror->writable()) continue;
      auto finished = co_await finish_promotion(services_, topic, services_.env.in(kLimit));
      if (finished) continue;
      again = true;
      services_.env.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
    }
    if (again) (void)co_await stopping_.wait(services_.env.in(kPause));
  }
  finishing_ = false;
}

}  // namespace farshore::broker
