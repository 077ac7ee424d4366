// ProducerIds: gives out producer ids that no other cluster gives out. An id is a 22-bit salt of this cluster above a
// 40-bit counter (Apache Kafka counts from zero, so its ids stay below 2^40). Ids come in blocks. A block is reserved
// durably in the MetaStore before its first id leaves, so no id is given twice; the rest of a block is lost at a
// restart. Executor: the broker's. Owner: Broker.
#pragma once

#include <cstdint>

#include "base/async_mutex.h"
#include "base/env.h"
#include "broker/metadata/metadata.h"

namespace farshore::broker {

inline constexpr int kProducerIdCounterBits = 40;

class ProducerIds {
 public:
  static constexpr int64_t kBlock = 1000;

  ProducerIds(Env& env, MetadataManager& metadata) : metadata_(metadata), lock_(env) {}

  // After metadata.start(). kCorrupt: the stored counter cannot be read, so no id would be safe.
  Task<Status> start(Deadline deadline);
  // A new id. kUnavailable, kTimedOut, kAmbiguous: no block could be reserved in time, ask again; kResourceExhausted:
  // all 2^40 are used up.
  Task<Result<int64_t>> next(Deadline deadline);
  // Makes sure that `producer_id`, if it carries this cluster's salt, is never handed out again: for ids found in
  // mirrored data before a promotion (a MetaStore restored from a backup would give them once more). Durable.
  Task<Status> never_below(int64_t producer_id, Deadline deadline);

  int64_t salt() const { return salt_; }

 private:
  // Moves the stored counter to at least `from` and takes `count` from there; sets next_ and block_end_.
  Task<Status> reserve(int64_t from, int64_t count, Deadline deadline);

  MetadataManager& metadata_;
  AsyncMutex lock_;  // one reservation at a time
  int64_t salt_ = 0;
  int64_t next_ = 0, block_end_ = 0;  // counters that are reserved and free
};

}  // namespace farshore::broker
