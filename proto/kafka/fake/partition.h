// FakePartition: one partition of FakeKafka, with Kafka's rules for producers: it remembers five batches per producer,
// markers raise the epoch, and the state expires by the timestamps of the batches.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/batch/batch.h"
#include "proto/kafka/error_code.h"

namespace farshore::kafka {

class FakePartition {
 public:
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
    int32_t last_sequence = -1;  // -1: nothing since the marker of this epoch
    int64_t last_timestamp_ms = 0;
    std::deque<Recent> recent;
  };
  struct Produced {
    ErrorCode code = ErrorCode::kNone;
    int64_t base = -1;
  };

  int64_t log_start = 0, end = 0;
  int32_t leader_epoch = 0;
  bool offline = false;  // Metadata says that it has no leader
  size_t batch_bytes_max = 1 << 20;
  std::deque<Stored> log;
  std::map<int64_t, Producer> producers;
  std::vector<std::pair<int32_t, int64_t>> epoch_starts{{0, 0}};

  // Appends as a Produce request does. `records` is exactly one batch, outside of transactions.
  Produced produce(ConstBytes records);
  // Appends one whole batch (of BatchBuilder) without checks. Returns its base offset.
  int64_t append(std::vector<std::byte> batch);
  // Writes an abort marker, unless the partition has seen a newer epoch.
  void write_marker(int64_t producer_id, int16_t epoch, int64_t now_ms);
  void write_foreign(int64_t now_ms);

  // Forgets producers whose last batch is older, as Kafka's sweep does.
  void expire_older_than(int64_t timestamp_ms);
  // Retention: removes whole batches below `offset`.
  void delete_up_to(int64_t offset);
  // DeleteRecords: the log start becomes `offset`, which may lie within a batch.
  void delete_records(int64_t offset);
  // Unclean leader election: the new leader has only the log below `new_end`, and knows producers from that log alone.
  void elect_unclean(int64_t new_end);
  // As OffsetForLeaderEpoch: the largest epoch of the log up to `epoch`, and its end; -1 if there was none.
  struct EpochEnd {
    int32_t epoch = -1;
    int64_t end = -1;
  };
  EpochEnd end_of_epoch(int32_t epoch) const;

  // The values of all records that have a producer, by offset.
  std::map<int64_t, std::string> values() const;

 private:
  int64_t store(BatchHeader header, std::vector<std::byte> bytes);
};

}  // namespace farshore::kafka
