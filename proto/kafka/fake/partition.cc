#include "proto/kafka/fake/partition.h"

#include <algorithm>
#include <array>

#include "base/ensure.h"
#include "base/slab.h"
#include "proto/batch/builder.h"
#include "proto/batch/records.h"

namespace farshore::kafka {

namespace {

constexpr size_t kBatchesRemembered = 5;

bool crc_is_right(ConstBytes records) {
  SlabArena arena;
  BatchRun run = run_of(arena, records);
  return verify_crc(run).has_value();
}

}  // namespace

FakePartition::Produced FakePartition::produce(ConstBytes records) {
  auto batch = BatchHeader::parse(records);
  if (!batch || batch->size_bytes() != records.size()) return {ErrorCode::kInvalidRecord, -1};
  if (!crc_is_right(records)) return {ErrorCode::kCorruptMessage, -1};
  if (batch->transactional() || batch->control() || batch->has_delete_horizon() || !batch->contiguous() ||
      batch->base_offset != 0)
    return {ErrorCode::kInvalidRecord, -1};
  if (records.size() > batch_bytes_max) return {ErrorCode::kMessageTooLarge, -1};
  if (batch->producer_id >= 0) {
    Producer& producer = producers[batch->producer_id];
    const bool known = producer.epoch >= 0;
    if (known && batch->producer_epoch < producer.epoch) return {ErrorCode::kInvalidProducerEpoch, -1};
    if (known && batch->producer_epoch > producer.epoch && batch->base_sequence != 0)
      return {ErrorCode::kOutOfOrderSequenceNumber, -1};
    if (known && batch->producer_epoch == producer.epoch) {
      for (const auto& each : producer.recent) {
        if (each.first == batch->base_sequence && each.last == batch->last_sequence())
          return {ErrorCode::kNone, each.base};
      }
      const int32_t expected =
          producer.last_sequence < 0 ? 0 : static_cast<int32_t>((int64_t{producer.last_sequence} + 1) & 0x7fffffff);
      if (batch->base_sequence != expected) return {ErrorCode::kOutOfOrderSequenceNumber, -1};
    }
    if (batch->producer_epoch != producer.epoch) producer.recent.clear();
    producer.epoch = batch->producer_epoch;
    producer.last_sequence = batch->last_sequence();
    producer.last_timestamp_ms = batch->max_timestamp;
    producer.recent.push_back({batch->base_sequence, batch->last_sequence(), end});
    if (producer.recent.size() > kBatchesRemembered) producer.recent.pop_front();
  }
  return {ErrorCode::kNone, store(*batch, std::vector<std::byte>(records.begin(), records.end()))};
}

int64_t FakePartition::append(std::vector<std::byte> bytes) {
  BatchHeader header = BatchHeader::parse(bytes).value();
  return store(header, std::move(bytes));
}

void FakePartition::write_marker(int64_t producer_id, int16_t epoch, int64_t now_ms) {
  Producer& producer = producers[producer_id];
  if (epoch < producer.epoch) return;
  producer = {};
  producer.epoch = epoch;
  producer.last_timestamp_ms = now_ms;
  BatchBuilder marker;
  marker.producer(producer_id, epoch, -1).transactional().add_marker(ControlType::kAbort, 0, now_ms);
  append(marker.build());
}

void FakePartition::write_foreign(int64_t now_ms) {
  BatchBuilder batch;
  batch.add(now_ms, std::nullopt, "foreign").add(now_ms, std::nullopt, "foreign");
  append(batch.build());
}

void FakePartition::expire_older_than(int64_t timestamp_ms) {
  std::erase_if(producers, [&](const auto& each) { return each.second.last_timestamp_ms < timestamp_ms; });
}

void FakePartition::delete_up_to(int64_t offset) {
  while (!log.empty() && log.front().header.next().value() <= offset) {
    log_start = log.front().header.next().value();
    log.pop_front();
  }
}

void FakePartition::delete_records(int64_t offset) {
  delete_up_to(offset);
  log_start = std::max(log_start, std::min(offset, end));
}

void FakePartition::elect_unclean(int64_t new_end) {
  while (!log.empty() && log.back().header.next().value() > new_end) log.pop_back();
  end = log.empty() ? log_start : log.back().header.next().value();
  epoch_starts.emplace_back(++leader_epoch, end);
  producers.clear();
  for (const Stored& each : log) {
    if (each.header.producer_id < 0) continue;
    Producer& producer = producers[each.header.producer_id];
    if (each.header.producer_epoch != producer.epoch) producer = {};
    producer.epoch = each.header.producer_epoch;
    producer.last_timestamp_ms = each.header.max_timestamp;
    if (!each.header.control()) producer.last_sequence = each.header.last_sequence();
  }
}

FakePartition::EpochEnd FakePartition::end_of_epoch(int32_t epoch) const {
  if (epoch > leader_epoch) return {};
  EpochEnd found;
  for (const auto& [started, at] : epoch_starts) {
    if (started > epoch) {
      found.end = at;
      return found;
    }
    found.epoch = started;
  }
  found.end = end;
  return found;
}

std::map<int64_t, std::string> FakePartition::values() const {
  std::map<int64_t, std::string> all;
  for (const Stored& each : log) {
    if (each.header.control() || !each.header.has_producer()) continue;
    auto reader = RecordReader::open(each.header, ConstBytes(each.bytes));
    ensure(reader.has_value(), "what the fake took are records");
    Record record;
    for (;;) {
      auto more = reader->next(record);
      ensure(more.has_value(), "what the fake took are records");
      if (!*more) break;
      all[record.offset.value()] = std::string(record.value.value_or(""));
    }
  }
  return all;
}

int64_t FakePartition::store(BatchHeader header, std::vector<std::byte> bytes) {
  const int64_t base = end;
  header.base_offset = base;
  header.partition_leader_epoch = leader_epoch;
  std::array<std::byte, kBatchHeaderBytes> raw;
  header.store(raw);
  std::copy(raw.begin(), raw.end(), bytes.begin());
  end = header.next().value();
  log.push_back({header, std::move(bytes)});
  return base;
}

}  // namespace farshore::kafka
