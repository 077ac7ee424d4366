// The words that fetchers, pumps and sinks share. A pump's place is always given in offsets of the source: on a mirror
// they are the target's as well; a relay's sink translates.
#pragma once

#include <optional>

#include "base/time.h"
#include "proto/batch/batch.h"
#include "proto/link/link_partition.h"

namespace farshore::replicator {

using PumpKey = LinkPartition;

// What the source said about a partition, with each fetch response that mentions it.
struct SourceState {
  SourceOffset high_watermark, last_stable, log_start;
  LeadershipEpoch leader_epoch{-1};  // from the source's metadata; -1: not known
  friend bool operator==(const SourceState&, const SourceState&) = default;
};

// What the target has, in the source's offsets.
struct TargetState {
  SourceOffset end;         // the next source offset that it lacks
  LogEpoch last_epoch{-1};  // of the last batch it holds; -1: nothing
  SourceOffset high_watermark, log_start;
  PumpSession session;  // the run of appends that it will accept; 0: none was opened
};

// What of the target's data is not in the source's lineage: [from, to), written under these epochs.
struct LostRange {
  SourceOffset from, to;
  LogEpoch first_epoch{-1}, last_epoch{-1};
  bool empty() const { return from >= to; }
  friend bool operator==(const LostRange&, const LostRange&) = default;
};

// Where to fetch next. Whatever comes of it is handed back with `generation`; answers to older ones are ignored.
struct FetchPosition {
  SourceOffset offset;
  LogEpoch last_fetched_epoch{-1};
  PumpSession session;
  uint32_t generation = 0;
  size_t room_bytes = 0;  // how much more the pump will hold
};

// What the target answered to one append. target_base - source_base is constant along one ack (and zero on a mirror).
struct AppendAck {
  SourceOffset source_base;
  TargetOffset target_base;
  int64_t length = 0;  // in offsets
  LogEpoch source_epoch{-1};
  LeadershipEpoch target_epoch{-1};
  SourceOffset end, high_watermark, log_start;  // of the target, in the source's offsets
};

class PartitionPump;

// One append under way: a run of whole batches (or none: then only the source's state is told), and what must hold at
// the target for it to be accepted.
struct Pumped {
  PartitionPump* pump = nullptr;  // valid as long as the sink has not been told to forget it
  PumpKey key;
  uint32_t generation = 0;
  PumpSession session;
  SourceOffset expected_end;
  LogEpoch epoch_before{-1};
  SourceState source;
  BatchRun run;
};

}  // namespace farshore::replicator
