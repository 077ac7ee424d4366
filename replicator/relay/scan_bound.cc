#include "replicator/relay/scan_bound.h"

namespace farshore::replicator {

RelayPartition* RelayScanBound::quiet(const LinkPartition& key, uint64_t attempt) {
  auto it = partitions_.find(key);
  if (it == partitions_.end() || it->second.attempt() != attempt) return nullptr;
  RelayPartition& partition = it->second;
  return partition.open() && partition.idle() && partition.owned_at(env_.now()) ? &partition : nullptr;
}

Task<void> RelayScanBound::run() {
  while (!stopping_.is_set()) {
    (void)co_await stopping_.wait(env_.in(options_.ends_every));
    if (stopping_.is_set()) co_return;
    for (auto& [key, partition] : partitions_) {
      if (!quiet(key, partition.attempt())) continue;
      TopicPartition at{partition.target().topic, key.partition.value()};
      spawn(gate_, "relay scan bound", look(key, partition.attempt(), std::move(at)));
    }
  }
}

Task<void> RelayScanBound::look(LinkPartition key, uint64_t attempt, TopicPartition at) {
  auto end = co_await questions_.high_watermark(std::move(at), env_.in(options_.timeout));
  RelayPartition* partition = quiet(key, attempt);
  if (!end || !partition || *end - partition->target_end() <= options_.others_offsets_max) co_return;
  const RelayAnchor behind = partition->anchor_behind(*end);
  auto written = co_await journal_.write_anchor(key, behind, env_.in(options_.timeout));
  if (!written && !stopping_.is_set()) fail_(key, attempt, written.error().in("anchor of a quiet partition"));
}

}  // namespace farshore::replicator
