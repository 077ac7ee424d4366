// Where a relay goes on after a takeover: a pure decision over what is written down and what the target shows, so that
// every case is tested. The evidence is the batches between where the last claim ends and our own abort marker (nothing
// of an older owner can appear behind it), and what the target's broker remembered of our producer before the marker
// cleared it.
//
// What makes it exact:
//  - an anchor is written only when everything before it was acknowledged: all that is below it at the source is at the
//    target, or is known not to exist;
//  - the target deletes prefixes only, so the last batch of ours that is still there is the last that there was;
//  - inside an epoch of our producer the sequences have no gaps. Where they do, the target lost something in the
//  middle.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "replicator/relay/journal.h"

namespace farshore::replicator {

// One data batch of ours in the scanned part of the target.
struct SeenBatch {
  RelayProducer producer;
  int32_t sequence = -1;
  int32_t length = 0;  // in offsets: compaction at the target may take records, never the place they had
  TargetOffset base;
  LeadershipEpoch epoch{-1};
  TargetOffset next() const { return base + length; }
};

// DescribeProducers of the target partition, taken before InitProducerId.
struct RememberedProducer {
  RelayProducer producer;
  int32_t last_sequence = -1;  // -1: nothing since the marker of that epoch
};

struct RelayEvidence {
  RelayProducer owner;                         // of this takeover
  TargetOffset scanned_from, scanned_to;       // everything in between was looked at; the marker is in it
  std::vector<SeenBatch> seen;                 // in offset order: of the owner's producer id, or of one an anchor names
  std::vector<RememberedProducer> remembered;  // of those ids; empty where it cannot be trusted
};

struct RelayResume {
  SourceOffset source;  // the first source offset that the target lacks
  // Of the record before it; where that one does not exist any more, of the one at it. -1: nothing was relayed.
  LogEpoch source_epoch{-1};
  std::vector<TranslationRun> found;  // relayed, and beyond the last claim: in source order
};

// Nothing tells how far the relay came: relaying on would repeat or lose records, so nobody guesses.
struct RelayUncertain {
  SourceOffset from, to;  // everything below `from` is at the target, nothing at or above `to` (the highest: unknown)
  std::string reason;     // in plain words
};

// Where the scan must begin for all that is not claimed yet to be found; the highest offset if there is nothing to look
// for. The target's log start may be above it by now.
TargetOffset scan_from(const RelayClaims& claims);

// `fresh`: where a relay of this partition begins that has neither anchor nor run (the source's log start is found by
// the fetch: 0).
std::variant<RelayResume, RelayUncertain> resume_from(const RelayClaims& claims, const RelayEvidence& evidence,
                                                      SourceOffset fresh = SourceOffset(0));

// Sequences are 31 bits and wrap to 0, as Kafka's.
constexpr int32_t sequence_after(int32_t sequence, int64_t records) {
  return static_cast<int32_t>((int64_t{sequence} + records) & 0x7fffffff);
}
// How many records `to` is ahead of `from`, if it is ahead.
constexpr int32_t sequence_distance(int32_t from, int32_t to) {
  return static_cast<int32_t>((int64_t{to} - from) & 0x7fffffff);
}

}  // namespace farshore::replicator
