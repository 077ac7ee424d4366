#include "linker/link/model/loss_sink.h"

#include <algorithm>

#include "base/plant.h"

namespace farshore::linker {

using replicator::TargetState;
using replicator::Truncated;

void LossSink::attach(replicator::PartitionPump& pump, replicator::SinkTarget target) {
  targets_[pump.key()] = target;
  sink_.attach(pump, std::move(target));
}

void LossSink::detach(const LinkPartition& key) {
  targets_.erase(key);
  sink_.detach(key);
}

LossReports::Place LossSink::place(const LinkPartition& key) const {
  LossReports::Place place;
  place.partition = key.partition.value();
  if (auto found = targets_.find(key); found != targets_.end()) {
    place.topic = found->second.topic;
    place.id = found->second.topic_id;
  }
  return place;
}

SourceOffset LossSink::target_end(const LinkPartition& key) const {
  auto progress = replicator_.progress(key);
  return progress ? progress->pump.target_end : SourceOffset(0);
}

Task<Status> LossSink::begin(LinkPartition key, LossKind kind, SourceOffset from, SourceOffset to) {
  if (planted(env_, Plant::kLossNotNamed)) co_return ok();
  LossReports::Place where = place(key);
  if (where.topic.empty()) co_return Error(ErrorCode::kClosed, "the partition was removed from the link");
  LossReport::Begun what{kind, from, to};
  co_return co_await losses_.begin(std::move(where), what, env_.in(kStoreLimit));
}

Task<Status> LossSink::finish(LinkPartition key, SourceOffset end, SourceOffset cut_to) {
  if (planted(env_, Plant::kLossNotNamed)) co_return ok();
  LossReports::Place where = place(key);
  if (where.topic.empty()) co_return ok();
  co_return co_await losses_.finish(std::move(where), end, cut_to, env_.in(kStoreLimit));
}

Task<Result<TargetState>> LossSink::open(LinkPartition key) {
  CO_TRY(TargetState state, co_await sink_.open(key));
  CO_CHECK(co_await finish(key, state.end));
  co_return state;
}

Task<Result<Truncated>> LossSink::truncate(LinkPartition key, PumpSession session, SourceOffset end, LogEpoch epoch) {
  const SourceOffset before = target_end(key);
  CO_CHECK(co_await begin(key, LossKind::kCut, std::min(end, before), before));
  CO_TRY(Truncated truncated, co_await sink_.truncate(key, session, end, epoch));
  // A request that is sent again after its answer was lost cuts nothing: then the end tells.
  const SourceOffset now = truncated.lost.empty() ? truncated.state.end : truncated.lost.from;
  CO_CHECK(co_await finish(key, now, truncated.lost.to));
  co_return truncated;
}

Task<Result<TargetState>> LossSink::advance_log_start(LinkPartition key, PumpSession session, SourceOffset to) {
  const SourceOffset before = target_end(key);
  // Behind the end of the mirror: the records in between are lost. A target that was set to the middle of a batch goes
  // back to its base, and loses nothing.
  if (before < to) CO_CHECK(co_await begin(key, LossKind::kNotMirrored, before, to));
  CO_TRY(TargetState state, co_await sink_.advance_log_start(key, session, to));
  CO_CHECK(co_await finish(key, state.end));
  co_return state;
}

}  // namespace farshore::linker
