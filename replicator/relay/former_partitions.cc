#include "replicator/relay/former_partitions.h"

#include <utility>

#include "proto/kafka/client/id_owner.h"

namespace farshore::replicator {

Task<Result<TargetState>> FormerPartitions::find_end(LinkPartition key, SinkTarget target,
                                                     std::function<bool()> still_former) {
  TakeoverSlots::Slot slot(slots_);
  CO_CHECK(co_await slot.enter(tools_.env.in(tools_.options.takeover_limit)));
  if (!still_former()) co_return Error(ErrorCode::kClosed, "the partition is relayed again");
  RelayTakeover takeover(tools_, slot, key, std::move(target), std::move(still_former));
  CO_TRY(const RelayTakenOver taken, co_await takeover.run());
  TargetState state;
  state.end = state.high_watermark = taken.resume.source;
  state.last_epoch = taken.resume.source_epoch;
  co_return state;
}

Task<Status> FormerPartitions::forget(LinkPartition key, Deadline deadline) {
  CO_TRY(TopicPartition log, co_await tools_.journal.log_of(key, deadline));
  CO_TRY(const RelayShards::Fenced fenced, co_await tools_.shards.log_writer(key, std::move(log), deadline));
  const auto session = tools_.shards.session(key);
  if (!session || session->number != fenced.session) co_return Error(ErrorCode::kUnavailable, "the session has ended");
  const MonoTime asked = tools_.env.now();
  std::vector<std::string> ids{session->id};
  auto owners = co_await kafka::id_owners(tools_.cluster, std::move(ids), deadline);
  if (owners) CO_CHECK(tools_.shards.judge(*session, *owners));
  if (!owners && owners.error() != ErrorCode::kUnsupported) co_return std::move(owners).error();
  const RelayLogWriter writer(fenced.log);
  const MonoTime until = asked + tools_.options.ownership_max;
  CO_TRY(RelayClaims claims, co_await tools_.journal.take_over(key, writer, until, deadline));
  co_return co_await tools_.journal.forget(key, deadline);
}

}  // namespace farshore::replicator
