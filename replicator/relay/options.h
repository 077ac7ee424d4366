// RelaySinkOptions: limits and deadlines of a RelaySink. relay_pump_options(): the policies that a relay's pumps must
// have.
#pragma once

#include "offsets/translation/anchor.h"
#include "replicator/pump.h"

namespace farshore::replicator {

struct RelaySinkOptions {
  size_t batches_in_flight_max = 16;  // per partition; no batch is sent twice, so Kafka need not remember them all
  // Small batches that wait are merged into one of at most so many bytes; Kafka takes one batch of a partition in a
  // request. 0: never.
  size_t merged_bytes_max = 128 << 10;
  size_t request_bytes_max = 4 << 20;
  size_t requests_in_flight_max = 16;  // per target broker
  int takeovers_at_once_max = 1000;    // their questions travel together; each holds a few KB
  int scans_at_once_max = 64;          // with a reader of their own; each holds at most one answer
  int refusals_max = 4;                // of one batch with the same code, in a row: then the partition fails
  // A connection that carried nothing for so long is closed before the target does it (connections.max.idle.ms).
  Duration idle_max = seconds(240);
  Duration timeout = seconds(10);  // of a produce request, at the target and here
  Duration takeover_limit = seconds(60);
  // A process that was suspended for longer than this sends nothing before it has taken its partitions over again:
  // after the target's producer sweep (10 min by default) the target would accept an old epoch again.
  Duration pause_max = seconds(30);
  // Nothing is sent for a partition whose ownership was confirmed longer ago (ownership.h).
  Duration ownership_max = seconds(15);
  Duration ownership_check_every = seconds(5);
  // If InitProducerId returns another producer id than the anchors name, requests of the old one may still be on their
  // way, and no marker fences them. The takeover waits this long before it reads the evidence. At least ownership_max +
  // timeout.
  Duration old_producer_wait = seconds(30);
  int32_t anchor_records_max = kAnchorIntervalMax;
  // What others write into a partition while its relay is quiet: an anchor is written behind so many offsets, which a
  // later takeover need not read. Their ends are asked for so often.
  int64_t others_offsets_max = 100'000;
  Duration ends_every = seconds(60);
  // Injected defects, for the simulation to find.
  bool test_only_skip_scan = false;       // go on where the last claim ends
  bool test_only_skip_marker = false;     // raise the epoch, and write no marker into the partition
  bool test_only_skip_ownership = false;  // send although the ownership was not confirmed, and never ask
};

// Options of the pumps of a relay: a Kafka target cannot be truncated, so a source with another history stops the
// partition.
inline PumpOptions relay_pump_options(PumpOptions options = {}) {
  options.on_divergence = OnMismatch::kStop;
  return options;
}

}  // namespace farshore::replicator
