// resume_from(): the source offset at which a relay continues after a takeover. A pure function of the journal's claims
// and of the target's state, so that every case is tested. The evidence is the batches between the end of the last
// claim and our own abort marker (no older owner can write behind that marker), and the state of our producer in the
// target's broker (DescribeProducers), read before the marker cleared it.
//
// Why the decision is exact:
//  - The sink writes an anchor only when everything before it was acknowledged. So every record below the anchor at the
//    source is at the target, or is known not to exist.
//  - The target deletes prefixes only. So our last batch that is still there is our last batch ever.
//  - Within an epoch of our producer the sequences have no gaps. Where they do, the target lost something in the
//    middle.
// How a batch is placed at the source: offsets/translation/anchor.h.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "offsets/translation/anchor.h"
#include "replicator/relay/journal.h"

namespace farshore::replicator {

// DescribeProducers of the target partition, asked before InitProducerId.
struct RememberedProducer {
  kafka::ProducerIdentity producer;
  int32_t last_sequence = -1;  // -1: it wrote nothing since the marker of that epoch
};

struct RelayEvidence {
  kafka::ProducerIdentity owner;               // of this takeover
  TargetOffset scanned_from, scanned_to;       // every offset in between was read; our marker is among them
  std::vector<RelayedBatch> seen;              // in offset order; of the owner's producer id, or of one an anchor names
  std::vector<RememberedProducer> remembered;  // of those ids; empty where the broker's memory cannot be trusted
};

struct RelayResume {
  SourceOffset source;  // the first source offset that the target lacks
  // Of the record before `source`; if that record does not exist any more, of the one at `source`. -1: nothing was
  // relayed.
  LogEpoch source_epoch{-1};
  std::vector<TranslationRun> found;  // relayed and not claimed yet, in source order
};

// Nothing tells how far the relay came. To go on would repeat or lose records, so the partition stops.
struct RelayUncertain {
  SourceOffset from, to;  // all below `from` is at the target, nothing at or above `to` (the highest: unknown)
  std::string reason;     // for people
};

// The operator's word for a partition of which nothing tells how far it came, or whose next batch the target refuses:
// go on at `source`. What is before it, and not known to be at the target, is given up.
struct RelayGoOn {
  SourceOffset source;
  bool decided_now = false;  // else: decided before, and read from what is stored
};
// Where the word leads, after `found` was decided; nothing: it was followed before, or speaks of another place.
std::optional<RelayResume> go_on_at(const RelayGoOn& word, const RelayClaims& claims,
                                    const std::variant<RelayResume, RelayUncertain>& found);

// From where the target must be scanned to find all that is not claimed yet; the highest offset if there is nothing to
// find. The target's log start may be higher by now. The newest anchor bounds it, too: the journal has claimed
// everything before an anchor when it writes the anchor (RelayJournal::write_anchor).
TargetOffset scan_from(const RelayClaims& claims);

// `fresh`: where a relay of this partition begins that has neither anchor nor run (0: the fetch finds the source's log
// start).
std::variant<RelayResume, RelayUncertain> resume_from(const RelayClaims& claims, const RelayEvidence& evidence,
                                                      SourceOffset fresh = SourceOffset(0));

}  // namespace farshore::replicator
