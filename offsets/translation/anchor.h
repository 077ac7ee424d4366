// Anchors and the exactness rule: which source offsets the records of a relayed batch have. A relayed batch carries the
// producer id, producer epoch and sequence of its link's producer. An anchor gives the source offset of one sequence.
// So anchor and batch together give the source offset of every record:
//
//   source offset = anchor.source + (sequence of the record - anchor.sequence)
//
// The rule exists here once. The gateway uses it after a takeover (replicator/relay/evidence.h), libfarshore uses it
// for records that the log of record does not hold yet (offsets/client/target). Pure functions, no state.
// Source: FORMAT.md; sequences are those of Kafka's idempotent producer (KIP-98).
#pragma once

#include <optional>
#include <span>

#include "offsets/translation/types.h"

namespace farshore {

// Sequences have 31 bits. The sequence after 2^31 - 1 is 0.
constexpr int32_t sequence_after(int32_t sequence, int64_t records) {
  return static_cast<int32_t>((int64_t{sequence} + records) & 0x7fffffff);
}
// How many records `to` comes after `from`, if it comes after it at all.
constexpr int32_t sequence_distance(int32_t from, int32_t to) {
  return static_cast<int32_t>((int64_t{to} - from) & 0x7fffffff);
}

// A relay writes a new anchor after this many records at the latest.
inline constexpr int32_t kAnchorIntervalMax = 1 << 30;
// A sequence that is further ahead of an anchor does not belong to it. A batch from before the anchor looks almost 2^31
// records ahead; a batch under the anchor is at most kAnchorIntervalMax ahead. The limit is halfway.
inline constexpr int32_t kAnchorReachMax = kAnchorIntervalMax + (kAnchorIntervalMax >> 1);

// One data batch of a relay's producer at the target, or several that follow each other without a gap.
struct RelayedBatch {
  kafka::ProducerIdentity producer;
  int32_t sequence = -1;
  int64_t length = 0;         // in offsets: compaction at the target removes records, but not the offsets they had
  TargetOffset base;          // of its first record
  LeadershipEpoch epoch{-1};  // of the target's leader that wrote it; -1: not known
  TargetOffset next() const { return base + length; }
};

// The anchor that `batch` was relayed under; null: none of them. It is the newest one with the batch's producer that
// begins at or below the batch, at the target and in sequence. Two anchors for one sequence and one place are two
// attempts at the same batch: nothing was relayed under the first of them, and the second has the higher source offset.
// The order of `anchors` does not matter.
const RelayAnchor* anchor_of(std::span<const RelayAnchor> anchors, const RelayedBatch& batch);

// The anchor that was written last; null: there is none.
const RelayAnchor* newest_anchor(std::span<const RelayAnchor> anchors);

// No batch under one of `anchors` is below this offset at the target. The highest offset if there is no anchor.
TargetOffset lowest_target(std::span<const RelayAnchor> anchors);

struct PlacedBatch {
  TranslationRun run;          // the whole batch
  SourceOffset anchor_source;  // of its anchor: equal to run.source if the batch is the first under it
};
// The source offsets of `batch`; none: no anchor covers it, so it is not of this relay.
std::optional<PlacedBatch> place_batch(std::span<const RelayAnchor> anchors, const RelayedBatch& batch);

// How far a relay is known to have come: every record of it below `target` at the target came from below `source`, and
// no record below `source` is missing at the target: what is not there does not exist (a gap, a transaction marker).
// `epoch` is that of the record before `source`; of the one at `source`, if that record does not exist.
struct KnownEnd {
  TargetOffset target;
  SourceOffset source;
  LogEpoch epoch{-1};
};
// By what is written down: the claimed run with the highest source end, and the anchors, each of which was written when
// everything before it was acknowledged. None: nothing was ever written down.
std::optional<KnownEnd> known_end(std::span<const RelayAnchor> anchors, const std::optional<TranslationRun>& last_run);

// Removes the part of the run below `claimed_to` at the target. The length may become 0.
void cut_below(TranslationRun& run, TargetOffset claimed_to);

// Makes `run` longer by `next` if the two are one run: they follow each other at both ends, in the same epochs.
bool extend_run(TranslationRun& run, const TranslationRun& next);

}  // namespace farshore
