// Where a relay goes on after a takeover: a pure decision over what the target shows, so that every case is tested.
// The evidence is the batches between where the last claim ends and our own abort marker (nothing of an older owner
// can appear behind it), and what the target's broker remembered of our producer before the marker cleared it.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "replicator/relay_journal.h"

namespace farshore::replicator {

// One data batch of any producer in the scanned part of the target.
struct SeenBatch {
  RelayProducer producer;
  int32_t sequence = -1;
  int32_t record_count = 0;
  TargetOffset base;
  LeadershipEpoch epoch{-1};
};

// DescribeProducers of the target partition, taken before InitProducerId.
struct RememberedProducer {
  RelayProducer producer;
  int32_t last_sequence = -1;  // -1: nothing since the marker of that epoch
};

struct RelayEvidence {
  TargetOffset scanned_from;    // batches below were not looked at
  TargetOffset log_start;       // of the target at the scan
  TargetOffset marker;          // of our own abort marker: where the scan ended
  std::vector<SeenBatch> seen;  // in offset order; only batches whose producer id one of our anchors names
  std::optional<RememberedProducer> remembered;
};

struct RelayResume {
  SourceOffset source;                // the first source offset that the target lacks
  LogEpoch source_epoch{-1};          // of the record before it; -1: nothing was relayed
  std::vector<TranslationRun> found;  // relayed, and not claimed yet: in source order
};

// Nothing tells how far the relay came: relaying on would repeat or lose records, so nobody guesses.
struct RelayUncertain {
  SourceOffset from;   // everything below is at the target
  std::string reason;  // in plain words
};

// Where the scan must begin, at the latest, for the evidence to be complete (the target's log start may be above it).
TargetOffset scan_from(const RelayClaims& claims);

// `fresh`: where a relay of this partition begins that has neither anchor nor run (the source's log start is found by
// the fetch: 0).
std::variant<RelayResume, RelayUncertain> resume_from(const RelayClaims& claims, const RelayEvidence& evidence,
                                                      SourceOffset fresh = SourceOffset(0));

}  // namespace farshore::replicator
