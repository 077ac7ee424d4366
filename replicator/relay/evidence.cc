#include "replicator/relay/evidence.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace farshore::replicator {

namespace {

constexpr SourceOffset kSourceUnknown{std::numeric_limits<int64_t>::max()};

std::string name_of(kafka::ProducerIdentity producer) {
  return "producer " + std::to_string(producer.id) + " epoch " + std::to_string(producer.epoch);
}

std::string place_of(const RelayedBatch& batch) {
  return name_of(batch.producer) + " sequence " + std::to_string(batch.sequence) + " at the target's offset " +
         std::to_string(batch.base.value());
}

// Follows the batches that the scan found, in offset order, and places each at the source.
class Follower {
 public:
  Follower(const RelayClaims& claims, const RelayEvidence& evidence)
      : claims_(claims), complete_(evidence.scanned_from <= scan_from(claims)) {
    if (claims.last_run) end_ = claims.last_run->source_end();
  }

  std::optional<RelayUncertain> add(const RelayedBatch& batch) {
    auto placed = place_batch(claims_.anchors, batch);
    if (!placed)
      return RelayUncertain{end_.value_or(SourceOffset(0)), kSourceUnknown,
                            "nothing that is written down explains the batch of " + place_of(batch)};
    TranslationRun& run = placed->run;
    if (claims_.last_run && batch.base < claims_.last_run->target_end()) {  // the claim ends inside the batch
      cut_below(run, claims_.last_run->target_end());
    } else if (end_ && run.source < *end_) {
      return RelayUncertain{run.source, *end_,
                            "source offset " + std::to_string(run.source.value()) +
                                " is at the target a second time: the batch of " + place_of(batch)};
    } else if (complete_ && !follows(batch, *placed)) {
      return RelayUncertain{end_.value_or(placed->anchor_source), run.source,
                            "the target lacks what came before the batch of " + place_of(batch)};
    }
    if (run.length > 0 && (found.empty() || !extend_run(found.back(), run))) found.push_back(run);
    end_ = run.source_end();
    last_ = &batch;
    last_known = KnownEnd{batch.next(), *end_, run.source_epoch};
    complete_ = true;
    return std::nullopt;
  }

  std::vector<TranslationRun> found;
  std::optional<KnownEnd> last_known;  // behind the last batch

 private:
  // Nothing is missing between the batch before and this one.
  bool follows(const RelayedBatch& batch, const PlacedBatch& placed) const {
    const bool same_producer = last_ && last_->producer == batch.producer;
    const bool in_sequence = !same_producer || sequence_after(last_->sequence, last_->length) == batch.sequence;
    return in_sequence && (placed.run.source == placed.anchor_source || (end_ && placed.run.source == *end_));
  }

  const RelayClaims& claims_;
  std::optional<SourceOffset> end_;  // of the batch before, at the source
  const RelayedBatch* last_ = nullptr;
  bool complete_;  // what stood before the next batch is known; otherwise the target may have deleted it
};

// The target may have deleted relayed records before the scan. The broker's memory may still tell how far they went.
std::variant<RelayResume, RelayUncertain> by_memory(const RelayClaims& claims, const RelayEvidence& evidence,
                                                    KnownEnd known) {
  const int64_t deleted = evidence.scanned_from - known.target;
  RelayUncertain uncertain{known.source, known.source + deleted, ""};
  const std::string range = "the target deleted its offsets " + std::to_string(known.target.value()) + " to " +
                            std::to_string(evidence.scanned_from.value()) + " before they were written down, and ";
  const RelayAnchor* newest = newest_anchor(claims.anchors);
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

// Nothing is written down: a fresh relay, unless the broker knows our producer to have written. Then the log of record
// was lost.
std::variant<RelayResume, RelayUncertain> without_claims(const RelayEvidence& evidence, SourceOffset fresh) {
  for (const RememberedProducer& remembered : evidence.remembered) {
    if (remembered.producer.id == evidence.owner.id && remembered.last_sequence >= 0)
      return RelayUncertain{
          fresh, kSourceUnknown,
          "the target remembers " + name_of(remembered.producer) + " of this relay, and nothing is written down of it"};
  }
  return RelayResume{fresh, LogEpoch(-1), {}};
}

}  // namespace

TargetOffset scan_from(const RelayClaims& claims) {
  const RelayAnchor* newest = newest_anchor(claims.anchors);
  if (!claims.last_run) return newest ? newest->target_from : lowest_target(claims.anchors);
  return newest ? std::max(claims.last_run->target_end(), newest->target_from) : claims.last_run->target_end();
}

std::optional<RelayResume> go_on_at(const RelayGoOn& word, const RelayClaims& claims,
                                    const std::variant<RelayResume, RelayUncertain>& found) {
  if (const auto* resume = std::get_if<RelayResume>(&found)) {
    if (word.source <= resume->source) return std::nullopt;
    return RelayResume{word.source, LogEpoch(-1), resume->found};
  }
  const auto& uncertain = std::get<RelayUncertain>(found);
  const auto known = known_end(claims.anchors, claims.last_run);
  const bool followed = known && word.source <= known->source && !word.decided_now;
  if (word.source < uncertain.from || followed) return std::nullopt;
  return RelayResume{word.source, LogEpoch(-1), {}};
}

std::variant<RelayResume, RelayUncertain> resume_from(const RelayClaims& claims, const RelayEvidence& evidence,
                                                      SourceOffset fresh) {
  Follower follower(claims, evidence);
  for (const RelayedBatch& batch : evidence.seen) {
    if (auto uncertain = follower.add(batch)) return *uncertain;
  }
  std::optional<KnownEnd> known = known_end(claims.anchors, claims.last_run);
  if (!known) return without_claims(evidence, fresh);
  if (follower.last_known) {
    // The claims may vouch for a position behind the last batch. Then nothing was relayed after it.
    if (follower.last_known->target > known->target || follower.last_known->source == known->source)
      known = follower.last_known;
  } else if (evidence.scanned_from > known->target) {
    return by_memory(claims, evidence, *known);
  }
  return RelayResume{known->source, known->epoch, std::move(follower.found)};
}

}  // namespace farshore::replicator
