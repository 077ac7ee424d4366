#include "tests/simulation/history.h"

#include "base/crc32c.h"
#include "proto/batch/batch.h"

namespace farshore::simulation {
namespace {

constexpr size_t kViolationsMax = 20;

std::string place(int32_t partition, const StoredBatch& batch) {
  return "partition " + std::to_string(partition) + ", offset " + std::to_string(batch.offset) + ", epoch " +
         std::to_string(batch.epoch);
}

}  // namespace

std::vector<StoredBatch> batches_of(std::string_view text) {
  std::vector<StoredBatch> found;
  ConstBytes bytes = as_bytes(text);
  while (bytes.size() >= kBatchHeaderBytes) {
    auto header = BatchHeader::parse(bytes);
    if (!header || header->size_bytes() > bytes.size()) break;
    ConstBytes batch = bytes.first(header->size_bytes());
    if (crc32c(batch.subspan(BatchField::kAttributes)) != header->crc) break;
    found.push_back({header->base_offset, header->next().value(), header->partition_leader_epoch, header->crc});
    bytes = bytes.subspan(batch.size());
  }
  return found;
}

void History::violation(std::string text) {
  if (violations_.size() < kViolationsMax) violations_.push_back(std::move(text));
}

void History::acknowledged(int32_t partition, int64_t offset, uint32_t crc) {
  acknowledgements_.push_back({partition, offset, crc});
}

void History::producer_id(int64_t id) {
  if (!producer_ids_.insert(id).second) violation("producer id " + std::to_string(id) + " was given twice");
}

void History::seen_at_source(int32_t partition, const StoredBatch& batch) {
  auto [it, fresh] = source_.emplace(Place(partition, batch.offset, batch.epoch), batch);
  if (!fresh && it->second.crc != batch.crc)
    violation("two different batches at the source at " + place(partition, batch));
  if (sent_.count({partition, batch.crc}) == 0)
    violation("the source holds a batch that nobody sent at " + place(partition, batch));
}

void History::seen_at_mirror(int32_t partition, const StoredBatch& batch) {
  auto it = source_.find(Place(partition, batch.offset, batch.epoch));
  if (it == source_.end())
    violation("the mirror holds a batch that the source never held at " + place(partition, batch));
  else if (it->second.crc != batch.crc)
    violation("the mirror holds another batch than the source at " + place(partition, batch));
}

void History::check_end(const std::vector<PartitionState>& states, bool may_lose) {
  if (states.size() != static_cast<size_t>(partitions_)) violation("not every partition was read at the end");
  for (int32_t partition = 0; partition < static_cast<int32_t>(states.size()); ++partition) {
    const PartitionState& state = states[static_cast<size_t>(partition)];
    const std::string name = "partition " + std::to_string(partition);
    if (state.source != state.mirror)
      violation(name + ": the mirror's bytes differ (" + std::to_string(state.mirror.size()) + ", the source has " +
                std::to_string(state.source.size()) + ")");
    std::map<int64_t, uint32_t> by_offset;
    std::set<uint32_t> once;
    size_t whole = 0;
    int64_t next = 0;
    for (const StoredBatch& batch : batches_of(state.source)) {
      seen_at_source(partition, batch);
      if (batch.offset != next) violation(name + ": offsets jump to " + place(partition, batch));
      next = batch.next;
      by_offset[batch.offset] = batch.crc;
      if (!once.insert(batch.crc).second) violation("a batch is stored twice, again at " + place(partition, batch));
      ++whole;
    }
    size_t bytes = 0;
    for (ConstBytes rest = as_bytes(state.source); whole > 0; --whole) {
      auto header = BatchHeader::parse(rest);
      bytes += header->size_bytes();
      rest = rest.subspan(header->size_bytes());
    }
    if (bytes != state.source.size()) violation(name + ": the source serves bytes that are no batch");
    for (const StoredBatch& batch : batches_of(state.mirror)) seen_at_mirror(partition, batch);
    if (may_lose) continue;
    for (const Acknowledgement& ack : acknowledgements_) {
      if (ack.partition != partition) continue;
      auto it = by_offset.find(ack.offset);
      if (it == by_offset.end() || it->second != ack.crc)
        violation(name + ": the batch acknowledged at offset " + std::to_string(ack.offset) + " is not there");
    }
  }
}

}  // namespace farshore::simulation
