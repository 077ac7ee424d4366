#include "broker/mirror/mirror_targets.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

Refusal busy(const Error& error) { return refusal_of(error.in("another request is at work on the partition")); }

Refusal stale_session() {
  return refuse(Code::kFencedLeaderEpoch, "the session is not the one that is open: open a new one");
}

}  // namespace

std::shared_ptr<MirrorTargets::Target> MirrorTargets::target(const TopicId& topic, int32_t partition) {
  if (targets_.size() >= look_at_) forget_gone_topics();
  auto& slot = targets_[{topic, partition}];
  if (!slot) slot = std::make_shared<Target>(env_);
  return slot;
}

void MirrorTargets::forget_gone_topics() {
  const ImagePtr image = metadata_.image();
  std::erase_if(targets_, [&](const auto& entry) {
    return image->names_by_id.count(entry.first.first) == 0 && entry.second.use_count() == 1;
  });
  look_at_ = std::max(kLookAtMin, targets_.size() * 2);
}

void MirrorTargets::end_sessions(const TopicId& topic) {
  for (auto it = targets_.lower_bound({topic, 0}); it != targets_.end() && it->first.first == topic; ++it)
    it->second->session = PumpSession(0);
}

std::shared_ptr<MirrorTargets::Target> MirrorTargets::target(const Partition& partition) {
  return target(partition.topic_id(), partition.partition());
}

Task<MirrorTargets::Opened> MirrorTargets::open(PartitionPtr partition, LinkEpoch epoch, Deadline deadline) {
  auto state = target(*partition);
  Opened opened;
  auto guard = co_await state->lock.lock(deadline);
  if (!guard) {
    opened.refusal = busy(guard.error());
    co_return opened;
  }
  if (state->ended) {
    opened.refusal = refuse(Code::kPolicyViolation, "the mirror has ended");
    co_return opened;
  }
  // Random, so that a session from before a restart of this broker can never be mistaken for one of now.
  state->session = PumpSession(static_cast<int64_t>(env_.random().next() >> 1 | 1));
  state->link_epoch = epoch;
  opened.session = state->session;
  co_return opened;
}

Refusal MirrorTargets::check_position(const Partition& partition, const Target& target, const Append& append) const {
  const bool holds = target.holds(append.session) && append.link_epoch == target.link_epoch;
  if (!holds && !planted(env_, Plant::kSkipSessionCompare)) return stale_session();
  const Offset end = partition.ends().end;
  if (append.expected_end != end)
    return refuse(Code::kOffsetOutOfRange, "the log ends at " + std::to_string(end.value()) + ", not at " +
                                               std::to_string(append.expected_end.value()));
  const LogEpoch last = partition.log().last_epoch();
  if (append.epoch_before != last && !planted(env_, Plant::kSkipEpochBefore))
    return refuse(Code::kOffsetOutOfRange, "the last epoch is " + std::to_string(last.value()) + ", not " +
                                               std::to_string(append.epoch_before.value()));
  return {};
}

Task<Refusal> MirrorTargets::append(PartitionPtr partition, Append append, Deadline deadline) {
  auto state = target(*partition);
  auto guard = co_await state->lock.lock(deadline);
  if (!guard) co_return busy(guard.error());
  if (Refusal refusal = check_position(*partition, *state, append)) co_return refusal;
  append.source.at = env_.wall_now();
  if (state->source.at >= WallTime{0} && planted(env_, Plant::kStaleHighWatermark))
    append.source.high_watermark = state->source.high_watermark;
  state->source = append.source;
  if (!append.run.empty()) {
    Refusal refusal = co_await append_run(partition, std::move(append.run), deadline);
    if (refusal) co_return refusal;
  }
  // The source's log start is followed, as far as this end has come.
  const LogEnds now = partition->ends();
  const Offset start = std::min(append.source.log_start, now.high_watermark);
  if (start > now.log_start) {
    auto moved = co_await partition->log().advance_log_start(start);
    if (!moved) co_return refusal_of(moved.error());
    partition->changed();
  }
  co_return Refusal{};
}

Task<Refusal> MirrorTargets::append_run(PartitionPtr partition, BatchRun run, Deadline deadline) {
  // The log verifies the CRC of every batch that it appends: once, for all who append.
  LogEpoch highest = run.batches.front().epoch();
  for (const auto& batch : run.batches) highest = std::max(highest, batch.epoch());
  if (highest.value() > partition->leadership_epoch().value()) {
    // A client that saw this epoch in a batch ignores metadata with a lower one: raised durably first. Garbage must not
    // raise it for good, so this rare batch is verified here, too.
    auto checked = verify_crc(run);
    if (!checked) co_return refuse(Code::kCorruptMessage, checked.error().to_string());
    auto raised = co_await raise_leadership(partition, highest, deadline);
    if (!raised) co_return refusal_of(raised.error());
  }
  auto appended = co_await partition->append(std::move(run), AppendOrigin::kMirror);
  if (!appended) {
    if (appended.error() == ErrorCode::kConflict)
      co_return refuse(Code::kOffsetOutOfRange, appended.error().to_string());
    co_return refusal_of(appended.error());
  }
  if (appended->last < Offset(0)) co_return Refusal{};
  auto committed = co_await partition->wait_committed(appended->last, deadline);
  if (!committed) co_return refusal_of(committed.error());
  co_return Refusal{};
}

Task<Status> MirrorTargets::raise_leadership(PartitionPtr partition, LogEpoch epoch, Deadline deadline) {
  const LeadershipEpoch wanted(epoch.value());
  const TopicId topic = partition->topic_id();
  auto wish = [&] { raises_[topic].insert_or_assign(partition->partition(), std::pair(partition, wanted)); };
  wish();  // one wish a partition: its appends come one after the other
  auto guard = co_await raising_.lock(deadline);
  if (!guard) co_return std::move(guard).error();
  if (partition->leadership_epoch() >= wanted) co_return ok();  // by another one's transaction
  wish();                                                       // again, if that transaction failed
  const auto waiting = raises_.extract(topic);
  const Raises& raises = waiting.mapped();
  MetadataManager::TopicEdit edit = [raises](TopicImage& image) -> Status {
    for (const auto& [index, raise] : raises) {
      if (static_cast<size_t>(index) >= image.partitions.size())
        return Error(ErrorCode::kNotFound, "the partition is gone");
      auto& placed = image.partitions[static_cast<size_t>(index)].leadership_epoch;
      placed = std::max(placed, raise.second);
    }
    return ok();
  };
  CO_CHECK(co_await metadata_.update_topic(topic, std::move(edit), deadline));
  Status result;
  for (const auto& [index, raise] : raises) {
    const LeadershipEpoch raised = std::max(raise.second, raise.first->leadership_epoch());
    auto set = co_await raise.first->set_leadership_epoch(raised, /*begin_log_epoch=*/false);
    if (!set && raise.first == partition) result = std::move(set);
  }
  co_return result;
}

Task<MirrorTargets::Truncated> MirrorTargets::truncate(PartitionPtr partition, PumpSession session, LogEpoch epoch,
                                                       Offset offset, Deadline deadline) {
  auto state = target(*partition);
  Truncated result;
  auto guard = co_await state->lock.lock(deadline);
  if (!guard) {
    result.refusal = busy(guard.error());
    co_return result;
  }
  if (!state->holds(session)) {
    result.refusal = stale_session();
    co_return result;
  }
  Log& log = partition->log();
  const Offset end = log.ends().end, start = log.ends().log_start;
  // The common point: where the epoch ends there, or here, whichever comes first (KIP-101, KIP-279).
  Offset keep = std::min(offset, end);
  if (EpochEnd here = log.epoch_end(epoch); here.end >= Offset(0)) keep = std::min(keep, here.end);
  // Below the log start there is nothing to keep, so the log becomes empty and continues at the common point.
  Status cut;
  if (keep < start)
    cut = co_await log.reset_to(keep);
  else
    cut = co_await log.truncate_to(keep, /*below_high_watermark=*/true);  // also at the end: empty epochs go
  if (!cut) {
    result.refusal = refusal_of(cut.error());
    co_return result;
  }
  if (keep < end) partition->changed();
  const Offset from = std::max(keep, start);
  if (from >= end) co_return result;
  result.from = from;
  result.to = end;
  env_.log().warn("mirror truncated: the source has another history", {{"topic", partition->topic()},
                                                                       {"partition", partition->partition()},
                                                                       {"from", from},
                                                                       {"to", end},
                                                                       {"source_epoch", epoch.value()}});
  co_return result;
}

Task<Refusal> MirrorTargets::advance_log_start(PartitionPtr partition, PumpSession session, Offset offset,
                                               Deadline deadline) {
  auto state = target(*partition);
  auto guard = co_await state->lock.lock(deadline);
  if (!guard) co_return busy(guard.error());
  if (!state->holds(session)) co_return stale_session();
  Log& log = partition->log();
  const Offset end = log.ends().end;
  Status moved;
  if (offset > end)
    moved = co_await log.reset_to(offset);
  else
    moved = co_await log.advance_log_start(offset);
  if (!moved) co_return refusal_of(moved.error());
  if (offset > end)
    env_.log().warn(
        "mirror emptied: the source deleted what was not mirrored",
        {{"topic", partition->topic()}, {"partition", partition->partition()}, {"from", end}, {"to", offset}});
  partition->changed();
  co_return Refusal{};
}

}  // namespace farshore::broker
