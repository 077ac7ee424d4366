// Values that fetchers, pumps and sinks exchange. The position of a pump is always in offsets of the source. On a
// mirror the target has the same offsets; a relay's sink translates.
#pragma once

#include <optional>

#include "base/time.h"
#include "proto/batch/batch.h"
#include "proto/link/link_partition.h"

namespace farshore::replicator {

// State of a partition at the source, from the last fetch response that mentions the partition.
struct SourceState {
  SourceOffset high_watermark, last_stable, log_start;
  LeadershipEpoch leader_epoch{-1};  // from the source's metadata; -1: not known
  friend bool operator==(const SourceState&, const SourceState&) = default;
};

// State of a partition at the target, in the source's offsets.
struct TargetState {
  SourceOffset end;         // the next source offset that it lacks
  LogEpoch last_epoch{-1};  // of the last batch it holds; -1: nothing
  SourceOffset high_watermark, log_start;
  PumpSession session;  // the target accepts appends of this session only; 0: none was opened
};

// Records of the target that are not in the source's history: [from, to), written under these epochs.
struct LostRange {
  SourceOffset from, to;
  LogEpoch first_epoch{-1}, last_epoch{-1};
  bool empty() const { return from >= to; }
  friend bool operator==(const LostRange&, const LostRange&) = default;
};

// Where to fetch next. The fetcher hands the answer back with `generation`; answers to older generations are ignored.
struct FetchPosition {
  SourceOffset offset;
  LogEpoch last_fetched_epoch{-1};
  PumpSession session;
  uint32_t generation = 0;
  size_t room_bytes = 0;  // how much more the pump will hold
};

// The target's answer to one append. target_base - source_base is constant within one answer (and zero on a mirror).
struct AppendAck {
  SourceOffset source_base;
  TargetOffset target_base;
  int64_t length = 0;  // in offsets
  LogEpoch source_epoch{-1};
  LeadershipEpoch target_epoch{-1};
  SourceOffset end, high_watermark, log_start;  // of the target, in the source's offsets
};

class PartitionPump;

// One append: a run of whole batches (or none: then it only carries the source's state), and the state that the target
// must have to accept it.
struct Pumped {
  PartitionPump* pump = nullptr;  // valid until the sink's detach()
  LinkPartition key;
  uint32_t generation = 0;
  PumpSession session;
  SourceOffset expected_end;
  LogEpoch epoch_before{-1};
  SourceState source;
  BatchRun run;
};

}  // namespace farshore::replicator
