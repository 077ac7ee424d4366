// Values of a relay link's offset translation: keys, anchors and runs. The sink that relays, the store that translates
// and the log of record in the target's topic __farshore_offsets share them.
//
// Every relayed batch names its source: it carries {producer id, epoch, sequence} of its link's producer, and an anchor
// that was acknowledged before the batch gives the source offset of a sequence (anchor.h).
// A run is certain: these source offsets became those target offsets. A claim never goes beyond what the target durably
// acknowledged.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "proto/kafka/producer_identity.h"
#include "proto/link/keys.h"
#include "proto/link/link_partition.h"

namespace farshore {

// Written before the first batch after a takeover and at each discontinuity: a gap in the source offsets, another
// source epoch, 2^30 records.
struct RelayAnchor {
  // Wrote the batches at the target. Its id belongs to one transactional id, that of the key's shard; each takeover of
  // the partition has a higher epoch.
  kafka::ProducerIdentity producer;
  int32_t sequence = 0;       // of the first record under this anchor
  SourceOffset source;        // its offset at the source
  LogEpoch source_epoch{-1};  // of all records under this anchor
  TargetOffset target_from;   // no record under this anchor is below this offset at the target
  // An operator gave up what is not known to be at the target before `source`: batches below target_from that nothing
  // explains stay as they are, and are not asked about any more.
  bool settles = false;
  friend bool operator==(const RelayAnchor&, const RelayAnchor&) = default;
};

// [source, source + length) at the source is [target, target + length) at the target, record by record.
struct TranslationRun {
  SourceOffset source;
  TargetOffset target;
  int64_t length = 0;  // in records; > 0
  LogEpoch source_epoch{-1};
  LeadershipEpoch target_epoch{-1};  // of the target's leader that acknowledged it; -1: not known
  SourceOffset source_end() const { return source + length; }
  TargetOffset target_end() const { return target + length; }
  friend bool operator==(const TranslationRun&, const TranslationRun&) = default;
};

// The log of record: compacted, in the target cluster. Keys are spread over its first partitions by a hash that never
// changes; more partitions than these are never used, so that one that grows changes nothing.
inline constexpr int32_t kTranslationLogPartitions = 16;
int32_t translation_log_partition(const LinkPartition& key);

}  // namespace farshore
