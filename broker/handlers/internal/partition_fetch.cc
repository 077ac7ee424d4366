#include "broker/handlers/internal/partition_fetch.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/partitions/partition_lookup.h"

namespace farshore::broker {

FetchAnswer FetchedPartition::answer() const {
  FetchAnswer said;
  said.error = error;
  if (ends_known) {
    said.high_watermark = ends.high_watermark.value();
    said.log_start = ends.log_start.value();
  }
  said.has_records = slice.size_bytes > 0;
  said.diverging = diverging.has_value();
  return said;
}

FetchedPartition PartitionFetch::find(FetchSession::Position target, PartitionPtr& partition) {
  FetchedPartition fetched;
  fetched.target = target;
  FoundPartition found =
      by_topic_id_
          ? find_partition(services_.partitions, *services_.metadata.image(), target->topic_id, target->partition)
          : find_partition(services_.partitions, std::string_view(target->topic), target->partition);
  fetched.error = found.error;
  if (!found.partition) {
    // One that was there until now is told at once: so it does not count as unknown the first time.
    const bool missing =
        found.error == kafka::ErrorCode::kUnknownTopicOrPartition || found.error == kafka::ErrorCode::kUnknownTopicId;
    fetched.unknown = missing && !target->watch;
    target->watch.reset();
    return fetched;
  }
  partition = std::move(found.partition);
  target->moved = false;
  session_.watch(target, *partition);
  fetched.ends = partition->ends();
  fetched.ends_known = true;
  fetched.epoch = partition->leadership_epoch();
  fetched.error =
      check_leader_epoch(*partition, std::max(target->current_leader_epoch, -1));  // any negative one is any
  if (fetched.error == kafka::ErrorCode::kNone) check_offset(*partition, fetched);
  fetched.left_out = fetched.error == kafka::ErrorCode::kNone && !fetched.diverging &&
                     Offset(target->fetch_offset) < visible(fetched.ends);
  return fetched;
}

void PartitionFetch::check_offset(Partition& partition, FetchedPartition& fetched) const {
  const FetchTarget& target = *fetched.target;
  const Offset from(target.fetch_offset);
  if (target.last_fetched_epoch >= 0) {
    const EpochEnd end = partition.log().epoch_end(LogEpoch(target.last_fetched_epoch));
    if (end.epoch < LogEpoch(0) || end.end < Offset(0) || from < fetched.ends.log_start) {
      fetched.error = kafka::ErrorCode::kOffsetOutOfRange;
      return;
    }
    if (end.epoch < LogEpoch(target.last_fetched_epoch) || end.end < from) {
      fetched.diverging = end;
      return;
    }
  }
  if (from < fetched.ends.log_start || from > fetched.ends.end) fetched.error = kafka::ErrorCode::kOffsetOutOfRange;
}

FetchedPartition PartitionFetch::look(FetchSession::Position target) {
  PartitionPtr partition;
  return find(target, partition);
}

Task<FetchedPartition> PartitionFetch::read(FetchSession::Position target, int64_t room, bool first) {
  PartitionPtr partition;
  FetchedPartition fetched = find(target, partition);
  if (fetched.left_out)
    co_await read_records(std::move(partition), fetched, std::min<int64_t>(room, std::max(target->bytes_max, 0)),
                          first);
  co_return fetched;
}

Task<void> PartitionFetch::read_records(PartitionPtr partition, FetchedPartition& fetched, int64_t room, bool first) {
  if (!first && room <= 0) co_return;
  Log& log = partition->log();
  auto slice = co_await log.read(Offset(fetched.target->fetch_offset),
                                 read_committed_ ? ReadBound::kLastStable : ReadBound::kHighWatermark,
                                 static_cast<size_t>(std::max<int64_t>(room, 0)));
  if (!slice) {
    fetched.error = kafka_error(slice.error());
    if (fetched.error == kafka::ErrorCode::kKafkaStorageError || fetched.error == kafka::ErrorCode::kCorruptMessage)
      services_.env.log().error(
          "a partition cannot be read",
          {{"topic", partition->topic()}, {"partition", partition->partition()}, {"error", slice.error()}});
    co_return;
  }
  if (!first && static_cast<int64_t>(slice->size_bytes) > room) co_return;
  fetched.slice = std::move(*slice);
  fetched.left_out = fetched.slice.size_bytes > 0 && fetched.slice.next < visible(fetched.slice.ends);
  if (!read_committed_ || fetched.slice.size_bytes == 0) co_return;
  auto aborted = co_await log.aborted_in(fetched.slice.first, fetched.slice.next);
  if (aborted) {
    fetched.aborted = std::move(*aborted);
    co_return;
  }
  fetched.error = kafka_error(aborted.error());  // without the list, aborted records would be shown
  fetched.slice = {};
}

}  // namespace farshore::broker
