#include "tests/simulation/history.h"

#include <algorithm>

#include "base/crc32c.h"
#include "proto/batch/batch.h"
#include "proto/batch/records.h"

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

std::map<int64_t, std::pair<std::string, std::string>> records_of(std::string_view text) {
  std::map<int64_t, std::pair<std::string, std::string>> found;
  ConstBytes bytes = as_bytes(text);
  while (bytes.size() >= kBatchHeaderBytes) {
    auto header = BatchHeader::parse(bytes);
    if (!header || header->size_bytes() > bytes.size()) break;
    auto reader = RecordReader::open(*header, bytes.first(header->size_bytes()));
    bytes = bytes.subspan(header->size_bytes());
    Record record;
    while (reader) {
      auto more = reader->next(record);
      if (!more || !*more) break;
      found[record.offset.value()] = {std::string(record.key.value_or("")), std::string(record.value.value_or(""))};
    }
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

void History::source_at(int32_t partition, int64_t high_watermark, int32_t leadership_epoch) {
  raise(high_watermark_, partition, high_watermark);
  raise(epoch_, partition, leadership_epoch);
}

void History::group_at_target(int32_t partition, int64_t offset, int64_t mirrored_end) {
  const std::string what = "partition " + std::to_string(partition) + ": the group is at " + std::to_string(offset);
  if (offset > mirrored_end) violation(what + " at the target, which is mirrored to " + std::to_string(mirrored_end));
  if (auto it = committed_.find(partition); it == committed_.end() || offset > it->second)
    violation(what + " at the target, and nobody committed that");
}

void History::check_ended(const End& end, std::string_view target, bool may_lose, bool all_of_it) {
  const std::string name = "partition " + std::to_string(end.partition) + " ended: ";
  const auto highest = [&](const std::map<int32_t, int64_t>& map) {
    auto it = map.find(end.partition);
    return it == map.end() ? int64_t{-1} : it->second;
  };
  int64_t epoch = highest(epoch_), source_end = 0;
  for (const auto& [place, batch] : source_) {
    if (std::get<0>(place) != end.partition) continue;
    epoch = std::max<int64_t>(epoch, batch.epoch);
    source_end = std::max(source_end, batch.next);
  }
  if (end.new_epoch % (1 << 16) != 0 || end.new_epoch <= epoch)
    violation(name + "epoch " + std::to_string(end.new_epoch) + " after " + std::to_string(epoch));
  if (end.failover_offset > source_end)
    violation(name + "at " + std::to_string(end.failover_offset) + ", the source never had more than " +
              std::to_string(source_end));
  const int64_t reached = std::max<int64_t>(0, highest(high_watermark_));
  if (end.source_high_watermark > reached)
    violation(name + "the source's high watermark " + std::to_string(end.source_high_watermark) + " was never above " +
              std::to_string(reached));
  if (end.lost_at_least != std::max<int64_t>(0, end.source_high_watermark - end.failover_offset))
    violation(name + std::to_string(end.lost_at_least) + " records lost at least, of a source at " +
              std::to_string(end.source_high_watermark) + " and an end at " + std::to_string(end.failover_offset));
  std::map<int64_t, uint32_t> by_offset;
  int64_t next = 0;
  for (const StoredBatch& batch : batches_of(target)) {
    if (batch.offset != next) violation(name + "offsets jump to " + place(end.partition, batch));
    next = batch.next;
    by_offset[batch.offset] = batch.crc;
    if (batch.offset < end.failover_offset)
      seen_at_mirror(end.partition, batch);
    else if (batch.epoch < end.new_epoch)
      violation(name + "a batch of the old lineage behind the end at " + place(end.partition, batch));
    if (batch.offset < end.failover_offset && batch.next > end.failover_offset)
      violation(name + "inside of a batch at " + place(end.partition, batch));
  }
  if (next < end.failover_offset) violation(name + "the target holds less than it says: " + std::to_string(next));
  if (may_lose) return;
  for (const Acknowledgement& ack : acknowledgements_) {
    if (ack.partition != end.partition) continue;
    if (ack.offset >= end.failover_offset) {
      if (all_of_it && ack.offset >= end.failover_offset + end.stranded)
        violation(name + "the batch acknowledged at offset " + std::to_string(ack.offset) + " was left behind");
      continue;
    }
    auto it = by_offset.find(ack.offset);
    if (it == by_offset.end() || it->second != ack.crc)
      violation(name + "the batch acknowledged at offset " + std::to_string(ack.offset) + " is not at the target");
  }
}

std::vector<std::string> History::missing(int32_t partition, int64_t from, std::string_view bytes) const {
  std::vector<std::string> found;
  std::map<int64_t, uint32_t> by_offset;
  for (const StoredBatch& batch : batches_of(bytes)) by_offset[batch.offset] = batch.crc;
  for (const Acknowledgement& ack : acknowledgements_) {
    if (ack.partition != partition) continue;
    auto it = by_offset.find(ack.offset);
    if (ack.offset < from || it == by_offset.end() || it->second != ack.crc)
      found.push_back("partition " + std::to_string(partition) + ": the batch acknowledged at offset " +
                      std::to_string(ack.offset) + " is not there");
  }
  return found;
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
