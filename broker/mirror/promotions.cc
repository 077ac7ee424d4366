#include "broker/mirror/promotions.h"

#include <algorithm>
#include <utility>

#include "broker/mirror/internal/split_transactions.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

// Far above anything that the lost source can elect: it can never have the same epoch with other data.
constexpr int32_t kEpochStep = 1 << 16;
constexpr Duration kRetryLimit = seconds(30), kRetryPause = seconds(1);

int64_t non_negative(int64_t n) { return std::max<int64_t>(n, 0); }

std::vector<EndedTransaction> open_transactions(const Log& log) {
  std::vector<EndedTransaction> open;
  for (const auto& producer : log.producers())
    if (producer.txn_first) open.push_back({producer.producer_id, producer.producer_epoch, *producer.txn_first, {}});
  return open;
}

bool unfinished(const TopicImage& topic) { return topic.mirror && topic.mirror->ended() && !topic.mirror->writable(); }

}  // namespace

Promotions::Promotions(Env& env, SlabArena& arena, MetadataManager& metadata, PartitionTable& partitions,
                       ProducerIds& producer_ids, MirrorTargets& targets)
    : env_(env),
      arena_(arena),
      metadata_(metadata),
      partitions_(partitions),
      producer_ids_(producer_ids),
      targets_(targets),
      stopping_(env),
      gate_(env) {}

Task<void> Promotions::stop() {
  stopping_.set();
  co_await gate_.close();
}

// --- step 1

Task<Result<std::vector<Promotions::Held>>> Promotions::hold(TopicPtr topic) {
  std::vector<Held> held;
  for (const auto& image : topic->partitions) {
    CO_TRY(PartitionPtr partition, partitions_.find(topic->id, image.partition));
    auto target = targets_.target(topic->id, image.partition);
    auto guard = co_await target->lock.lock();
    held.push_back({std::move(partition), std::move(target), std::move(guard)});
  }
  co_return std::move(held);
}

LeadershipEpoch Promotions::next_epoch(const std::vector<Held>& held) {
  int32_t seen = 0;
  for (const auto& h : held) {
    seen = std::max({seen, h.partition->leadership_epoch().value(), h.partition->log().last_epoch().value(),
                     h.target->source.leader_epoch.value()});
  }
  return LeadershipEpoch((seen / kEpochStep + 1) * kEpochStep);
}

PromotionRecord::PartitionEnd Promotions::end_of(const Held& held, LeadershipEpoch epoch, WallTime now) {
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
    end.blind_window_ms = -1;  // the source reported nothing since this broker started
  end.aborted = open_transactions(held.partition->log());
  return end;
}

Refusal Promotions::check_ends(const std::vector<Held>& held, const PromotionPlan& plan) {
  for (size_t i = 0; i < held.size() && i < plan.ends.size(); ++i) {
    const Offset end = held[i].partition->ends().end;
    if (plan.ends[i] && end < *plan.ends[i])
      return {Code::kOffsetOutOfRange, "partition " + std::to_string(i) + " is mirrored to " +
                                           std::to_string(end.value()) + " of " +
                                           std::to_string(plan.ends[i]->value())};
  }
  return {};
}

Task<PromotionRecord> Promotions::record_of(TopicPtr topic, const std::vector<Held>& held, const PromotionPlan& plan,
                                            Deadline deadline) {
  const WallTime now = env_.wall_now();
  const LeadershipEpoch epoch = next_epoch(held);
  PromotionRecord record;
  record.kind = plan.kind;
  record.wall_ms = now.milliseconds_since_epoch;
  record.link = topic->mirror->link;
  record.source_cluster_id = topic->mirror->source_cluster_id;
  record.source_topic = topic->mirror->source_topic;
  for (const auto& each : held) record.partitions.push_back(end_of(each, epoch, now));
  co_await find_torn(env_, metadata_, partitions_, topic, record, deadline);
  co_return record;
}

Task<Result<TopicPtr>> Promotions::write(TopicPtr topic, PromotionRecord record, Deadline deadline) {
  const LinkId link = topic->mirror->link;
  MetadataManager::TopicEdit edit = [record, link](TopicImage& image) -> Status {
    if (!image.mirror || image.mirror->link != link || image.mirror->ended())
      return Error(ErrorCode::kConflict, "the topic is no mirror of this link any more");
    if (image.partitions.size() != record.partitions.size())
      return Error(ErrorCode::kConflict, "the topic has grown meanwhile: ask again");
    image.mirror->state = MirrorState::kPendingStopped;
    image.mirror->state_reason = std::string(name(record.kind));
    image.mirror->promotion = record;
    for (size_t i = 0; i < image.partitions.size(); ++i)
      image.partitions[i].leadership_epoch =
          std::max(image.partitions[i].leadership_epoch, record.partitions[i].new_epoch);
    return ok();
  };
  co_return co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
}

Task<PromotionOutcome> Promotions::end(TopicPtr topic, PromotionPlan plan, Deadline deadline) {
  PromotionOutcome outcome;
  auto held = co_await hold(topic);
  if (!held) {
    outcome.refusal = refusal_of(held.error());
    co_return outcome;
  }
  outcome.refusal = check_ends(*held, plan);
  if (outcome.refusal) co_return outcome;
  PromotionRecord record = co_await record_of(topic, *held, plan, deadline);
  if (plan.dry_run) {
    auto copy = std::make_shared<TopicImage>(*topic);
    copy->mirror->promotion = std::move(record);
    outcome.topic = copy;
    co_return outcome;
  }
  auto written = co_await write(topic, std::move(record), deadline);
  if (!written) {
    outcome.refusal = refusal_of(written.error());
    co_return outcome;
  }
  outcome.topic = *written;
  for (auto& h : *held) {
    h.target->session = PumpSession(0);
    h.target->ended = true;
  }
  held->clear();  // finish() takes the locks itself
  auto finished = co_await finish(outcome.topic, deadline);
  if (finished) {
    outcome.topic = *finished;
    co_return outcome;
  }
  env_.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
  retry();
  outcome.refusal = refusal_of(finished.error());
  co_return outcome;
}

// --- steps 2 and 3

Task<Result<TopicPtr>> Promotions::finish(TopicPtr topic, Deadline deadline) {
  if (!unfinished(*topic)) co_return topic;
  for (const auto& end : topic->mirror->promotion->partitions) {
    CO_TRY(auto partition, partitions_.find(topic->id, end.partition));
    CO_CHECK(co_await abort_open(partition, end, deadline));
  }
  MetadataManager::TopicEdit edit = [](TopicImage& image) -> Status {
    if (!image.mirror || !image.mirror->ended()) return Error(ErrorCode::kConflict, "the topic is no ended mirror");
    image.mirror->state = MirrorState::kStopped;
    return ok();
  };
  CO_TRY(auto changed, co_await metadata_.update_topic(topic->id, std::move(edit), deadline));
  CO_CHECK(co_await partitions_.wait_for(metadata_.image()->revision, deadline));
  co_return changed;
}

// Step 2 of one partition.
Task<Status> Promotions::abort_open(PartitionPtr partition, PromotionRecord::PartitionEnd end, Deadline deadline) {
  auto target = targets_.target(*partition);
  auto guard = co_await target->lock.lock();  // nobody else writes the markers meanwhile
  // The markers are the first batches of the new lineage. After a restart the partition's epoch is higher than that.
  const LeadershipEpoch epoch = std::max(end.new_epoch, partition->leadership_epoch());
  CO_CHECK(co_await partition->set_leadership_epoch(epoch, /*begin_log_epoch=*/true));
  int64_t highest = -1;
  Offset last{-1};
  const auto producers = partition->log().producers();
  for (const auto& producer : producers) {
    highest = std::max(highest, producer.producer_id);
    if (!producer.txn_first || producer.txn_first->value() >= end.failover_target_offset.value()) continue;
    BatchBuilder builder;
    builder.producer(producer.producer_id, producer.producer_epoch, -1);
    builder.transactional();
    builder.add_marker(ControlType::kAbort, std::max(producer.coordinator_epoch, 0),
                       env_.wall_now().milliseconds_since_epoch);
    CO_TRY(auto appended, co_await partition->append(builder.build_run(arena_), AppendOrigin::kCoordinator));
    if (appended.outcome != AppendOutcome::kAppended)
      co_return Error(ErrorCode::kInternal, "an abort marker was refused: " + appended.refusal);
    last = appended.last;
    env_.log().info("aborted a transaction that was open at the end of the mirror",
                    {{"topic", partition->topic()},
                     {"partition", partition->partition()},
                     {"producer_id", producer.producer_id},
                     {"first_offset", *producer.txn_first}});
  }
  if (last >= Offset(0)) CO_CHECK(co_await partition->wait_committed(last, deadline));
  // Ids of this cluster that came back with the data: a metadata store restored from a backup would give them again.
  if (highest >= 0) CO_CHECK(co_await producer_ids_.never_below(highest, deadline));
  co_return ok();
}

void Promotions::retry() {
  if (retrying_) return;
  retrying_ = spawn(gate_, "unfinished promotions", retry_loop());  // false: stopping; the next start goes on
}

Task<void> Promotions::retry_loop() {
  bool again = true;
  while (again && !stopping_.is_set()) {
    again = false;
    ImagePtr image = metadata_.image();
    for (const auto& entry : image->topics) {
      TopicPtr topic = entry.second;
      if (!unfinished(*topic)) continue;
      auto finished = co_await finish(topic, env_.in(kRetryLimit));
      if (finished) continue;
      again = true;
      env_.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
    }
    if (again) (void)co_await stopping_.wait(env_.in(kRetryPause));
  }
  retrying_ = false;
}

}  // namespace farshore::broker
