// For tests: one partition of a fake Kafka broker, with Kafka's rules for producers: five remembered batches, epochs,
// markers that raise them, state that expires by the batches' own timestamps. It outlives the fake broker's process.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/slab.h"
#include "proto/batch/builder.h"
#include "proto/batch/records.h"
#include "proto/kafka/error_code.h"

namespace farshore::replicator {

class FakePartition {
 public:
  using Code = kafka::ErrorCode;
  struct Stored {
    BatchHeader header;
    std::vector<std::byte> bytes;
  };
  struct Producer {
    struct Recent {
      int32_t first, last;
      int64_t base;
    };
    int16_t epoch = -1;
    int32_t last_sequence = -1;
    int64_t last_timestamp_ms = 0;
    std::deque<Recent> recent;
  };
  struct Produced {
    Code code = Code::kNone;
    int64_t base = -1;
  };

  int64_t log_start = 0, end = 0;
  int32_t leader_epoch = 0;
  size_t batch_bytes_max = 1 << 20;
  std::deque<Stored> log;
  std::map<int64_t, Producer> producers;
  std::vector<std::pair<int32_t, int64_t>> epoch_starts{{0, 0}};

  Produced produce(ConstBytes records) {
    auto batch = BatchHeader::parse(records);
    if (!batch || batch->size_bytes() != records.size()) return {Code::kInvalidRecord, -1};  // not exactly one
    SlabArena arena;
    BatchRun run = run_of(arena, records);
    if (!verify_crc(run)) return {Code::kCorruptMessage, -1};
    if (batch->transactional() || batch->control() || batch->has_delete_horizon() || !batch->contiguous() ||
        batch->base_offset != 0)
      return {Code::kInvalidRecord, -1};
    if (records.size() > batch_bytes_max) return {Code::kMessageTooLarge, -1};
    if (batch->producer_id >= 0) {
      Producer& producer = producers[batch->producer_id];
      const bool known = producer.epoch >= 0;
      if (known && batch->producer_epoch < producer.epoch) return {Code::kInvalidProducerEpoch, -1};
      if (known && batch->producer_epoch > producer.epoch && batch->base_sequence != 0)
        return {Code::kOutOfOrderSequenceNumber, -1};
      if (known && batch->producer_epoch == producer.epoch) {
        for (const auto& each : producer.recent) {
          if (each.first == batch->base_sequence && each.last == batch->last_sequence())
            return {Code::kNone, each.base};
        }
        const int32_t expected =
            producer.last_sequence < 0 ? 0 : static_cast<int32_t>((int64_t{producer.last_sequence} + 1) & 0x7fffffff);
        if (batch->base_sequence != expected) return {Code::kOutOfOrderSequenceNumber, -1};
      }
      if (batch->producer_epoch != producer.epoch) producer.recent.clear();
      producer.epoch = batch->producer_epoch;
      producer.last_sequence = batch->last_sequence();
      producer.last_timestamp_ms = batch->max_timestamp;
      producer.recent.push_back({batch->base_sequence, batch->last_sequence(), end});
      if (producer.recent.size() > 5) producer.recent.pop_front();
    }
    return {Code::kNone, append(*batch, std::vector<std::byte>(records.begin(), records.end()))};
  }

  void write_marker(int64_t producer_id, int16_t epoch, int64_t now_ms) {
    Producer& producer = producers[producer_id];
    if (epoch < producer.epoch) return;
    producer = {};
    producer.epoch = epoch;
    producer.last_timestamp_ms = now_ms;
    BatchBuilder marker;
    marker.producer(producer_id, epoch, -1).transactional().add_marker(ControlType::kAbort, 0, now_ms);
    append_built(marker);
  }
  void write_foreign(int64_t now_ms) {
    BatchBuilder batch;
    batch.add(now_ms, std::nullopt, "foreign").add(now_ms, std::nullopt, "foreign");
    append_built(batch);
  }

  // What Kafka's sweep does, by the producers' own timestamps.
  void expire_older_than(int64_t timestamp_ms) {
    std::erase_if(producers, [&](const auto& each) { return each.second.last_timestamp_ms < timestamp_ms; });
  }
  // Retention: whole batches from the front, up to the one that holds `offset`.
  void delete_up_to(int64_t offset) {
    while (!log.empty() && log.front().header.next().value() <= offset) {
      log_start = log.front().header.next().value();
      log.pop_front();
    }
  }
  // An unclean election: a leader without the end of the log, and what it knows of producers is from what it has.
  void elect_unclean(int64_t new_end) {
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
  int64_t end_of_epoch(int32_t epoch) const {
    for (const auto& [started, at] : epoch_starts) {
      if (started > epoch) return at;
    }
    return epoch <= leader_epoch ? end : -1;
  }

  // The values of all records that are not foreign, by offset.
  std::map<int64_t, std::string> values() const {
    std::map<int64_t, std::string> all;
    for (const Stored& each : log) {
      if (each.header.control() || !each.header.has_producer()) continue;
      auto reader = RecordReader::open(each.header, ConstBytes(each.bytes));
      EXPECT_TRUE(reader);
      Record record;
      while (reader) {
        auto more = reader->next(record);
        EXPECT_TRUE(more);
        if (!more || !*more) break;
        all[record.offset.value()] = std::string(record.value.value_or(""));
      }
    }
    return all;
  }

 private:
  int64_t append(BatchHeader header, std::vector<std::byte> bytes) {
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
  void append_built(const BatchBuilder& builder) {
    std::vector<std::byte> bytes = builder.build();
    BatchHeader header = BatchHeader::parse(bytes).value();
    append(header, std::move(bytes));
  }
};

}  // namespace farshore::replicator
