#include "linker/link/model/promotion_api.h"

namespace farshore::linker {
namespace {

void add_transaction(control::v1::PromotionPartition& to, const EndedTransaction& transaction) {
  const std::string text = "producer " + std::to_string(transaction.producer_id) + " epoch " +
                           std::to_string(transaction.producer_epoch) + " from offset " +
                           std::to_string(transaction.first.value());
  to.add_aborted_transactions(text);
  for (const auto& committed : transaction.committed)
    to.add_torn_transactions(text + " is aborted here, but was committed on " + committed.topic + " partition " +
                             std::to_string(committed.partition) + " (marker at offset " +
                             std::to_string(committed.marker.value()) + ")");
  if (transaction.maybe_torn)
    to.add_torn_transactions(text +
                             " is aborted here, and may be committed on other partitions: not all of them "
                             "could be read in time");
}

}  // namespace

control::v1::PromotionRecord to_api(const PromotionRecord& record) {
  control::v1::PromotionRecord out;
  out.set_kind(std::string(name(record.kind)));
  out.set_wall_ms(record.wall_ms);
  for (const auto& end : record.partitions) {
    auto& to = *out.add_partitions();
    to.set_partition(end.partition);
    to.set_failover_offset(end.failover_offset.value());
    to.set_failover_target_offset(end.failover_target_offset.value());
    to.set_last_epoch(end.last_epoch.value());
    to.set_new_epoch(end.new_epoch.value());
    to.set_source_high_watermark(end.source_high_watermark.value());
    to.set_lost_at_least_records(end.lost_at_least_records);
    to.set_lost_at_least_ms(end.lost_at_least_ms);
    to.set_blind_window_ms(end.blind_window_ms);
    to.set_stranded_records(end.stranded_records);
    to.set_note(end.note);
    if (end.state != EndState::kDone) to.set_state(std::string(name(end.state)));
    for (const auto& transaction : end.aborted) add_transaction(to, transaction);
  }
  return out;
}

std::string writable_partitions(const PromotionRecord& record) {
  std::string offline;
  for (const auto& end : record.partitions)
    if (end.state != EndState::kDone) offline += (offline.empty() ? "" : ", ") + std::to_string(end.partition);
  if (offline.empty()) return "the topic is writable";
  return "the topic is writable, except partitions that are offline at the target (" + offline +
         "): each ends when it is back";
}

}  // namespace farshore::linker
