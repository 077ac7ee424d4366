#include "broker/mirror/internal/promotion_finish.h"

#include <algorithm>
#include <utility>

#include "broker/mirror/internal/held_partition.h"
#include "broker/mirror/internal/split_transactions.h"
#include "proto/batch/builder.h"

namespace farshore::broker {
namespace {

constexpr Duration kRetryLimit = seconds(30), kRetryPause = seconds(1), kRetryPauseMax = seconds(30);

bool has_open_end(const TopicImage& topic) {
  if (!topic.mirror || !topic.mirror->ended()) return false;
  const auto& ends = topic.mirror->promotion()->partitions;
  return !topic.mirror->writable() ||
         std::any_of(ends.begin(), ends.end(), [](const auto& end) { return end.state != EndState::kDone; });
}

}  // namespace

PromotionFinish::PromotionFinish(Env& env, SlabArena& arena, MetadataManager& metadata, PartitionTable& partitions,
                                 ProducerIds& producer_ids, MirrorTargets& targets)
    : env_(env),
      arena_(arena),
      metadata_(metadata),
      partitions_(partitions),
      producer_ids_(producer_ids),
      targets_(targets),
      one_at_a_time_(env),
      stopping_(env),
      gate_(env) {}

Task<void> PromotionFinish::stop() {
  stopping_.set();
  co_await gate_.close();
}

Task<Result<TopicPtr>> PromotionFinish::run(TopicPtr topic, Deadline deadline) {
  auto guard = co_await one_at_a_time_.lock(deadline);
  if (!guard) co_return guard.error().in("the end of another mirror is being completed");
  const ImagePtr image = metadata_.image();
  if (image->topic(topic->id)) topic = image->topics.at(topic->name);
  if (!has_open_end(*topic)) co_return topic;
  const bool was_writable = topic->mirror->writable();
  bool open = false, changed = !was_writable;
  auto ends = topic->mirror->promotion()->partitions;
  for (auto& end : ends) {
    if (was_writable && end.state == EndState::kDone) continue;
    auto done = co_await finish_partition(topic, end, deadline);
    if (!done && !is_offline(done.error())) co_return std::move(done).error();
    changed = changed || done;
    open = open || !done;
    if (done)
      end.state = EndState::kDone;
    else if (end.state == EndState::kDone)
      end.state = EndState::kMarkersMissing;
  }
  if (changed) {
    CO_TRY(topic, co_await store(topic, std::move(ends), /*writable=*/true, deadline));
    CO_CHECK(co_await partitions_.wait_for(metadata_.image()->revision, deadline));
  }
  if (open) retry();
  co_return topic;
}

Task<Result<TopicPtr>> PromotionFinish::store(TopicPtr topic, std::vector<End> ends, bool writable, Deadline deadline) {
  MetadataManager::TopicEdit edit = [ends = std::move(ends), writable](TopicImage& image) -> Status {
    if (!image.mirror || !image.mirror->ended()) return Error(ErrorCode::kConflict, "the topic is no ended mirror");
    if (writable) image.mirror->state = MirrorState::kStopped;
    auto& stored = image.mirror->promotions.back().partitions;
    for (const auto& end : ends) {
      auto& placed = image.partitions.at(static_cast<size_t>(end.partition)).leadership_epoch;
      placed = std::max(placed, end.new_epoch);
      // What an attempt that took longer has found meanwhile stays.
      for (auto& known : stored)
        if (known.partition == end.partition && end.state != EndState::kOffline) known = end;
    }
    return ok();
  };
  co_return co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
}

Task<Status> PromotionFinish::finish_partition(TopicPtr topic, End& end, Deadline deadline) {
  const int32_t partition = end.partition;
  if (!attempts_.emplace(topic->id, partition).second)
    co_return Error(ErrorCode::kIo, "partition " + std::to_string(partition) + ": an earlier attempt has not ended");
  auto begun = std::make_shared<Attempt>(env_);
  begun->end = newest_end(topic, end);
  if (!spawn(gate_, "the end of a partition", attempt(topic, begun, deadline))) {
    attempts_.erase({topic->id, partition});
    co_return Error(ErrorCode::kClosed, "the broker stops");
  }
  // The other partitions, and what is written about all of them, need their part of the time.
  const Duration half = deadline.is_never() ? kPartitionLimit : (deadline.at() - env_.now()) / 2;
  auto ended = co_await begun->ended.wait(env_.in(std::min<Duration>(half, kPartitionLimit)));
  if (!ended)
    co_return Error(ErrorCode::kIo,
                    "partition " + std::to_string(partition) + ": its disk is too slow, or hangs; the attempt goes on");
  end = begun->end;
  co_return begun->result;
}

// An earlier attempt may have found the end since `known` was read. Behind it, there are markers by now: it is not
// found a second time.
PromotionFinish::End PromotionFinish::newest_end(TopicPtr topic, const End& known) const {
  const ImagePtr image = metadata_.image();
  const TopicImage* now = image->topic(topic->id);
  if (known.state != EndState::kOffline || !now || !now->mirror || !now->mirror->ended()) return known;
  for (const auto& stored : now->mirror->promotion()->partitions)
    if (stored.partition == known.partition) return stored;
  return known;
}

Task<void> PromotionFinish::attempt(TopicPtr topic, std::shared_ptr<Attempt> attempt, Deadline deadline) {
  attempt->result = co_await find_and_abort(topic, attempt->end, deadline);
  attempts_.erase({topic->id, attempt->end.partition});
  attempt->ended.complete(ok());
}

Task<Status> PromotionFinish::find_and_abort(TopicPtr topic, End& end, Deadline deadline) {
  CO_TRY(PartitionPtr partition, usable_partition(partitions_, topic->id, end.partition));
  if (end.state == EndState::kOffline) CO_CHECK(co_await find_end(topic, partition, end, deadline));
  co_return co_await abort_open(partition, end, deadline);
}

Task<Status> PromotionFinish::find_end(TopicPtr topic, PartitionPtr partition, End& end, Deadline deadline) {
  PromotionRecord found;
  {
    std::vector<HeldPartition> held;
    CO_TRY(auto one, co_await hold_partition(targets_, partition, std::min(deadline, env_.in(kHoldLimit))));
    held.push_back(std::move(one));
    held.front().target->session = PumpSession(0);
    held.front().target->ended = true;
    CO_CHECK(co_await partition->log().flush());
    const LeadershipEpoch epoch = std::max(end.new_epoch, next_epoch(held));
    found.partitions.push_back(end_of(held.front(), epoch, env_.wall_now()));
  }
  co_await find_torn(env_, metadata_, partitions_, topic, found, deadline);
  found.partitions.front().state = EndState::kMarkersMissing;
  // Written down before the markers: with them the log ends behind the mirror's end.
  TopicPtr newest = metadata_.image()->topic(topic->id) ? metadata_.image()->topics.at(topic->name) : topic;
  auto ends = newest->mirror->promotion()->partitions;
  for (auto& stored : ends)
    if (stored.partition == end.partition) stored = found.partitions.front();
  CO_CHECK(co_await store(newest, std::move(ends), /*writable=*/false, deadline));
  end = std::move(found.partitions.front());
  env_.log().info("a partition that was offline when its mirror ended is back: it is ended now",
                  {{"topic", topic->name}, {"partition", end.partition}, {"end", end.failover_offset}});
  co_return ok();
}

Task<Status> PromotionFinish::abort_open(PartitionPtr partition, const End& end, Deadline deadline) {
  auto target = targets_.target(*partition);
  // Nobody else writes the markers meanwhile.
  auto guard = co_await target->lock.lock(std::min(deadline, env_.in(kHoldLimit)));
  if (!guard) co_return Error(ErrorCode::kIo, "an append to the partition does not end");
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
  if (last >= Offset(0)) {
    CO_CHECK(co_await partition->wait_committed(last, deadline));
    // On the disk before the metadata says that clients may write: nobody writes the markers again after that.
    CO_CHECK(co_await partition->log().flush());
  }
  // Ids of this cluster that came back with the data: a metadata store restored from a backup would give them again.
  if (highest >= 0) CO_CHECK(co_await producer_ids_.never_below(highest, deadline));
  co_return ok();
}

void PromotionFinish::retry() {
  if (retrying_) return;
  retrying_ = spawn(gate_, "unfinished promotions", retry_loop());  // false: stopping; the next start goes on
}

Task<void> PromotionFinish::retry_loop() {
  Duration pause = kRetryPause;
  while (!stopping_.is_set()) {
    bool again = false;
    ImagePtr image = metadata_.image();
    for (const auto& entry : image->topics) {
      TopicPtr topic = entry.second;
      if (!has_open_end(*topic)) continue;
      auto finished = co_await run(topic, env_.in(kRetryLimit));
      again = again || !finished || has_open_end(**finished);
      if (!finished)
        env_.log().error("promotion is not finished yet", {{"topic", topic->name}, {"error", finished.error()}});
    }
    if (!again) break;
    (void)co_await stopping_.wait(env_.in(pause));
    pause = std::min<Duration>(pause * 2, kRetryPauseMax);  // an offline partition may stay so for days
  }
  retrying_ = false;
}

}  // namespace farshore::broker
