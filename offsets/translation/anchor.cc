#include "offsets/translation/anchor.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace farshore {

namespace {

// Anchors in the order in which they were written. One relay appends only, so that a later anchor never names a lower
// place, neither at the target nor at the source. The other fields make the order total.
auto written_order(const RelayAnchor& anchor) {
  return std::tuple(anchor.target_from, anchor.source, anchor.source_epoch, anchor.producer, anchor.sequence);
}

}  // namespace

const RelayAnchor* anchor_of(std::span<const RelayAnchor> anchors, const RelayedBatch& batch) {
  const RelayAnchor* best = nullptr;
  // Of two anchors at one place of the target, the one nearer in sequence is the later one.
  auto rank = [&](const RelayAnchor& anchor) {
    return std::tuple(anchor.target_from, -sequence_distance(anchor.sequence, batch.sequence), anchor.source,
                      anchor.source_epoch);
  };
  for (const RelayAnchor& anchor : anchors) {
    if (anchor.producer != batch.producer || anchor.target_from > batch.base) continue;
    if (sequence_distance(anchor.sequence, batch.sequence) > kAnchorReachMax) continue;
    if (!best || rank(anchor) > rank(*best)) best = &anchor;
  }
  return best;
}

const RelayAnchor* newest_anchor(std::span<const RelayAnchor> anchors) {
  const RelayAnchor* newest = nullptr;
  for (const RelayAnchor& anchor : anchors) {
    if (!newest || written_order(anchor) > written_order(*newest)) newest = &anchor;
  }
  return newest;
}

TargetOffset lowest_target(std::span<const RelayAnchor> anchors) {
  TargetOffset lowest{std::numeric_limits<int64_t>::max()};
  for (const RelayAnchor& anchor : anchors) lowest = std::min(lowest, anchor.target_from);
  return lowest;
}

std::optional<PlacedBatch> place_batch(std::span<const RelayAnchor> anchors, const RelayedBatch& batch) {
  const RelayAnchor* anchor = anchor_of(anchors, batch);
  if (!anchor) return std::nullopt;
  const int32_t distance = sequence_distance(anchor->sequence, batch.sequence);
  PlacedBatch placed;
  placed.run.source = anchor->source + distance;
  placed.run.target = batch.base;
  placed.run.length = batch.length;
  placed.run.source_epoch = anchor->source_epoch;
  placed.run.target_epoch = batch.epoch;
  placed.anchor_source = anchor->source;
  return placed;
}

std::optional<KnownEnd> known_end(std::span<const RelayAnchor> anchors, const std::optional<TranslationRun>& last_run) {
  std::optional<KnownEnd> known;
  const RelayAnchor* newest = newest_anchor(anchors);
  if (newest) known = KnownEnd{newest->target_from, newest->source, newest->source_epoch};
  if (last_run) {
    const KnownEnd by_run{last_run->target_end(), last_run->source_end(), last_run->source_epoch};
    // Where an anchor begins at the end of the run, the record before it is the run's last: its epoch counts.
    if (!known || by_run.target > known->target || by_run.source == known->source) known = by_run;
    if (newest && newest->target_from > known->target) known->target = newest->target_from;
  }
  return known;
}

void cut_below(TranslationRun& run, TargetOffset claimed_to) {
  const int64_t claimed = std::clamp<int64_t>(claimed_to - run.target, 0, run.length);
  run.source += claimed;
  run.target += claimed;
  run.length -= claimed;
}

bool extend_run(TranslationRun& run, const TranslationRun& next) {
  if (run.source_end() != next.source || run.target_end() != next.target || run.source_epoch != next.source_epoch ||
      run.target_epoch != next.target_epoch)
    return false;
  run.length += next.length;
  return true;
}

}  // namespace farshore
