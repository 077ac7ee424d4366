#include "replicator/relay/evidence.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace farshore::replicator {

namespace {

// A batch this far ahead of an anchor still belongs to it: anchors are at most 2^30 records apart (RelaySinkOptions), a
// batch before an anchor looks nearly 2^31 ahead.
constexpr int32_t kAnchorReachMax = (1 << 30) + (1 << 29);

constexpr SourceOffset kSourceUnknown{std::numeric_limits<int64_t>::max()};

// A point of the target that something vouches for: all of ours below `target` is below `source` at the source, and all
// below `source` is at the target, or does not exist.
struct Known {
  TargetOffset target;
  SourceOffset source;
  LogEpoch epoch{-1};
};

const RelayAnchor* newest_anchor(const RelayClaims& claims) {
  const RelayAnchor* newest = nullptr;
  for (const RelayAnchor& anchor : claims.anchors) {
    if (!newest || std::pair(anchor.target_from, anchor.source) > std::pair(newest->target_from, newest->source))
      newest = &anchor;
  }
  return newest;
}

// The anchor that says what `sequence` of `producer` at `base` stands for.
const RelayAnchor* anchor_of(const RelayClaims& claims, RelayProducer producer, int32_t sequence, TargetOffset base) {
  const RelayAnchor* best = nullptr;
  for (const RelayAnchor& anchor : claims.anchors) {
    if (anchor.producer != producer || anchor.target_from > base) continue;
    const int32_t distance = sequence_distance(anchor.sequence, sequence);
    if (distance > kAnchorReachMax) continue;
    // The one written last: of two for the same sequence, nothing was relayed under the first.
    auto rank = [&](const RelayAnchor& each) {
      return std::tuple(each.target_from, -sequence_distance(each.sequence, sequence), each.source);
    };
    if (!best || rank(anchor) > rank(*best)) best = &anchor;
  }
  return best;
}

// The furthest point that what is written down vouches for; nothing if nothing was ever written.
std::optional<Known> known_by_claims(const RelayClaims& claims) {
  std::optional<Known> known;
  const RelayAnchor* newest = newest_anchor(claims);
  if (newest) known = Known{newest->target_from, newest->source, newest->source_epoch};
  if (claims.last_run) {
    const TranslationRun& run = *claims.last_run;
    Known by_run{run.target_end(), run.source_end(), run.source_epoch};
    // An anchor where the run ends: the record before it is the run's last.
    if (!known || by_run.target > known->target || by_run.source == known->source) known = by_run;
    if (newest && newest->target_from > known->target) known->target = newest->target_from;
  }
  return known;
}

void add_found(std::vector<TranslationRun>& found, const TranslationRun& run) {
  if (!found.empty()) {
    TranslationRun& last = found.back();
    if (last.source_end() == run.source && last.target_end() == run.target && last.source_epoch == run.source_epoch &&
        last.target_epoch == run.target_epoch) {
      last.length += run.length;
      return;
    }
  }
  found.push_back(run);
}

std::string name_of(RelayProducer producer) {
  return "producer " + std::to_string(producer.id) + " epoch " + std::to_string(producer.epoch);
}

std::string place_of(const SeenBatch& batch) {
  return name_of(batch.producer) + " sequence " + std::to_string(batch.sequence) + " at the target's offset " +
         std::to_string(batch.base.value());
}

// Walks over the batches that were seen, each placed at the source by its anchor.
class Follower {
 public:
  Follower(const RelayClaims& claims, const RelayEvidence& evidence) : claims_(claims) {
    if (claims.last_run) end_ = claims.last_run->source_end();
    // Whether what stood before the first one is known: otherwise it may have been deleted.
    whole_ = evidence.scanned_from <= scan_from(claims);
  }

  std::optional<RelayUncertain> add(const SeenBatch& batch) {
    const RelayAnchor* anchor = anchor_of(claims_, batch.producer, batch.sequence, batch.base);
    if (!anchor)
      return RelayUncertain{end_.value_or(SourceOffset(0)), kSourceUnknown,
                            "nothing that is written down explains the batch of " + place_of(batch)};
    const int32_t distance = sequence_distance(anchor->sequence, batch.sequence);
    TranslationRun run{anchor->source + distance, batch.base, batch.length, anchor->source_epoch, batch.epoch};
    if (claims_.last_run && batch.base < claims_.last_run->target_end()) {  // the claim ends inside it
      const int64_t claimed = std::min<int64_t>(claims_.last_run->target_end() - batch.base, run.length);
      run.source += claimed;
      run.target += claimed;
      run.length -= claimed;
    } else if (end_ && run.source < *end_) {
      return RelayUncertain{run.source, *end_,
                            "source offset " + std::to_string(run.source.value()) +
                                " is at the target a second time: the batch of " + place_of(batch)};
    } else if (whole_) {
      const bool same = last_ && last_->producer == batch.producer;
      const bool in_sequence = !same || sequence_after(last_->sequence, last_->length) == batch.sequence;
      const bool follows = distance == 0 || (end_ && run.source == *end_);
      if (!in_sequence || !follows)
        return RelayUncertain{end_.value_or(anchor->source), run.source,
                              "the target lacks what came before the batch of " + place_of(batch)};
    }
    if (run.length > 0) add_found(found, run);
    end_ = run.source_end();
    last_ = &batch;
    last_known = Known{batch.next(), *end_, anchor->source_epoch};
    whole_ = true;
    return std::nullopt;
  }

  std::vector<TranslationRun> found;
  std::optional<Known> last_known;  // behind the last batch

 private:
  const RelayClaims& claims_;
  std::optional<SourceOffset> end_;  // of the batch before, at the source
  const SeenBatch* last_ = nullptr;
  bool whole_ = false;
};

// What was relayed may have been deleted before it was looked at: what the broker remembered may still tell.
std::variant<RelayResume, RelayUncertain> by_memory(const RelayClaims& claims, const RelayEvidence& evidence,
                                                    Known known) {
  const int64_t deleted = evidence.scanned_from - known.target;
  RelayUncertain uncertain{known.source, known.source + deleted, ""};
  const std::string range = "the target deleted its offsets " + std::to_string(known.target.value()) + " to " +
                            std::to_string(evidence.scanned_from.value()) + " before they were written down, and ";
  const RelayAnchor* newest = newest_anchor(claims);
  if (!newest) {
    uncertain.reason = range + "no anchor is written down";
    return uncertain;
  }
  for (const RememberedProducer& remembered : evidence.remembered) {
    if (remembered.producer != newest->producer) continue;
    if (remembered.last_sequence < 0) {
      if (newest->sequence == 0) return RelayResume{known.source, known.epoch, {}};
      continue;
    }
    const int32_t records = sequence_distance(newest->sequence, sequence_after(remembered.last_sequence, 1));
    const SourceOffset source = newest->source + records;
    if (records > kAnchorReachMax || source < known.source || source > uncertain.to) continue;
    if (source == known.source) return RelayResume{source, known.epoch, {}};
    return RelayResume{source, newest->source_epoch, {}};
  }
  uncertain.reason = range + "its broker has forgotten " + name_of(newest->producer);
  return uncertain;
}

}  // namespace

TargetOffset scan_from(const RelayClaims& claims) {
  if (claims.last_run) return claims.last_run->target_end();
  TargetOffset oldest{std::numeric_limits<int64_t>::max()};
  for (const RelayAnchor& anchor : claims.anchors) oldest = std::min(oldest, anchor.target_from);
  return oldest;
}

std::variant<RelayResume, RelayUncertain> resume_from(const RelayClaims& claims, const RelayEvidence& evidence,
                                                      SourceOffset fresh) {
  Follower follower(claims, evidence);
  for (const SeenBatch& batch : evidence.seen) {
    if (auto uncertain = follower.add(batch)) return *uncertain;
  }
  std::optional<Known> known = known_by_claims(claims);
  if (!known) {
    // Nothing is written down, and yet the broker knows our producer to have written: the log of record was lost.
    for (const RememberedProducer& remembered : evidence.remembered) {
      if (remembered.producer.id == evidence.owner.id && remembered.last_sequence >= 0)
        return RelayUncertain{fresh, kSourceUnknown,
                              "the target remembers " + name_of(remembered.producer) +
                                  " of this relay, and nothing is written down of it"};
    }
    return RelayResume{fresh, LogEpoch(-1), {}};
  }
  if (follower.last_known) {
    // What is written down may lie behind the last batch: then nothing was relayed after it.
    if (follower.last_known->target > known->target || follower.last_known->source == known->source)
      known = follower.last_known;
  } else if (evidence.scanned_from > known->target) {
    return by_memory(claims, evidence, *known);
  }
  return RelayResume{known->source, known->epoch, std::move(follower.found)};
}

}  // namespace farshore::replicator
