#include "replicator/fetch_delivery.h"

#include <algorithm>
#include <utility>

namespace farshore::replicator {

void FetchDelivery::on_response(const kafka::FetchResponse& head) {
  error_code_ = head.error_code;
  session_id_ = head.session_id;
}

void FetchDelivery::on_partition(const kafka::FetchTopic& topic, const Partition& partition, size_t) {
  topic_ = topic.id.is_zero() ? owner_.topic_id_of(topic.name) : topic.id;
  partition_ = partition.partition_index;
  outcome_ = {};
  outcome_.source.high_watermark = SourceOffset(partition.high_watermark);
  outcome_.source.last_stable = SourceOffset(partition.last_stable_offset);
  outcome_.source.log_start = SourceOffset(std::max<int64_t>(partition.log_start_offset, 0));
  if (FetchedPartition* current = this->current()) {
    outcome_.source.leader_epoch = current->at.leader_epoch;
    if (current->session.asked) outcome_.next = current->session.asked->offset;
  }
}

void FetchDelivery::on_batches(BatchRun run) {
  owner_.fetch_received(run.bytes.size());
  if (outcome_.bytes == 0) outcome_.first = SourceOffset(run.first().value());
  outcome_.bytes += run.bytes.size();
  FetchedPartition* current = this->current();
  if (!current || !current->session.asked) return;
  const SourceOffset at = outcome_.next;
  outcome_.next = SourceOffset(std::max(run.next().value(), at.value()));
  outcome_.handed_on = true;
  current->pump->on_fetched(current->session.asked->generation, at, std::move(run), outcome_.source,
                            owner_.fetch_time());
  owner_.fetch_handed_on(*current);
}

void FetchDelivery::on_partition_end(const kafka::FetchTopic&, const Partition& partition, size_t cut_bytes) {
  FetchedPartition* current = this->current();
  if (!current || !current->session.asked) return;
  outcome_.error_code = partition.error_code;
  outcome_.generation = current->session.asked->generation;
  outcome_.diverging_epoch = LogEpoch(partition.diverging_epoch.epoch);
  outcome_.diverging_end = partition.diverging_epoch.end_offset;
  outcome_.cut = cut_bytes > 0;
  owner_.fetch_ended(*current, outcome_);
}

}  // namespace farshore::replicator
