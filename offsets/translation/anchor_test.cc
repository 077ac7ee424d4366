#include "offsets/translation/anchor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/random.h"
#include "base/testing/seed.h"

namespace farshore {
namespace {

constexpr int64_t kId = 7;

RelayAnchor anchor(int16_t epoch, int32_t sequence, int64_t source, int64_t target_from, int32_t source_epoch = 3) {
  return {{kId, epoch}, sequence, SourceOffset(source), LogEpoch(source_epoch), TargetOffset(target_from)};
}
RelayedBatch batch(int16_t epoch, int32_t sequence, int32_t length, int64_t base) {
  return {{kId, epoch}, sequence, length, TargetOffset(base), LeadershipEpoch(1)};
}
int64_t source_of(const std::vector<RelayAnchor>& anchors, const RelayedBatch& each) {
  auto placed = place_batch(anchors, each);
  return placed ? placed->run.source.value() : -1;
}
void shuffle(std::vector<RelayAnchor>& anchors, Random& random) {
  for (size_t i = anchors.size(); i > 1; --i) std::swap(anchors[i - 1], anchors[random.below(i)]);
}

TEST(Sequences, SequenceBehindTheHighestIsZero) {
  constexpr int32_t kLast = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(sequence_after(kLast, 1), 0);
  EXPECT_EQ(sequence_after(5, int64_t{1} << 31), 5);
  EXPECT_EQ(sequence_distance(kLast, 1), 2);
  EXPECT_EQ(sequence_distance(1, 0), kLast);
}

TEST(AnchorOf, BatchIsPlacedByItsDistanceInSequence) {
  auto placed = place_batch(std::vector{anchor(0, 10, 500, 40, 6)}, batch(0, 15, 4, 60));
  ASSERT_TRUE(placed);
  const TranslationRun expected{SourceOffset(505), TargetOffset(60), 4, LogEpoch(6), LeadershipEpoch(1)};
  EXPECT_EQ(placed->run, expected);
  EXPECT_EQ(placed->anchor_source, SourceOffset(500));
}

TEST(AnchorOf, BatchWithoutAnAnchorOfItsProducerIsNotPlaced) {
  EXPECT_EQ(anchor_of({}, batch(0, 0, 1, 0)), nullptr);
  EXPECT_EQ(source_of({anchor(0, 0, 500, 40)}, batch(1, 0, 4, 60)), -1);  // of another epoch
  RelayedBatch foreign = batch(0, 0, 4, 60);
  foreign.producer.id = kId + 1;
  EXPECT_EQ(source_of({anchor(0, 0, 500, 40)}, foreign), -1);
}

TEST(AnchorOf, BatchBelowTheAnchorAtTheTargetIsNotPlaced) {
  EXPECT_EQ(source_of({anchor(0, 0, 500, 40)}, batch(0, 0, 4, 39)), -1);
  EXPECT_EQ(source_of({anchor(0, 0, 500, 40)}, batch(0, 0, 4, 40)), 500);
}

TEST(AnchorOf, BatchBeforeTheAnchorInSequenceIsNotPlaced) {
  EXPECT_EQ(source_of({anchor(0, 10, 500, 40)}, batch(0, 9, 1, 60)), -1);
  EXPECT_EQ(source_of({anchor(0, 10, 500, 40)}, batch(0, 10 + kAnchorReachMax, 1, 60)), 500 + kAnchorReachMax);
  EXPECT_EQ(source_of({anchor(0, 10, 500, 40)}, batch(0, 11 + kAnchorReachMax, 1, 60)), -1);
}

TEST(AnchorOf, OfAnchorsAtTwoPlacesTheHigherOneAtTheTargetIsTaken) {
  std::vector<RelayAnchor> anchors{anchor(0, 30, 100, 40), anchor(0, 0, 0, 10)};
  EXPECT_EQ(source_of(anchors, batch(0, 31, 1, 41)), 101);
  EXPECT_EQ(source_of(anchors, batch(0, 5, 1, 15)), 5);
}

TEST(AnchorOf, SameSequenceAfterAWrapIsPlacedByTheLaterAnchor) {
  const int64_t round = int64_t{1} << 31;
  std::vector<RelayAnchor> anchors{anchor(0, 0, 0, 0), anchor(0, 1 << 30, round / 2, 1 << 30),
                                   anchor(0, 0, round, round)};
  EXPECT_EQ(source_of(anchors, batch(0, 5, 1, 5)), 5);
  EXPECT_EQ(source_of(anchors, batch(0, 5, 1, round + 5)), round + 5);
}

// The input on which the two former copies of the rule disagreed. libfarshore's took whichever anchor came first, the
// gateway's the one with the higher source offset. The source deleted what the first anchor was written for before the
// batch was sent, so the second one is right.
TEST(AnchorOf, OfTwoAnchorsForOneSequenceTheOneWithTheHigherSourceOffsetIsTaken) {
  std::vector<RelayAnchor> anchors{anchor(0, 30, 100, 40), anchor(0, 30, 500, 40)};
  EXPECT_EQ(source_of(anchors, batch(0, 30, 4, 40)), 500);
  std::swap(anchors[0], anchors[1]);
  EXPECT_EQ(source_of(anchors, batch(0, 30, 4, 40)), 500);
}

TEST(AnchorOf, VoidAnchorPlacesNothing) {
  EXPECT_EQ(source_of({anchor(0, 0, 0, std::numeric_limits<int64_t>::max())}, batch(0, 0, 4, 40)), -1);
}

TEST(NewestAnchor, AnchorWithTheHighestPlaceIsTheNewest) {
  EXPECT_EQ(newest_anchor({}), nullptr);
  std::vector<RelayAnchor> anchors{anchor(1, 0, 20, 30), anchor(0, 0, 0, 10), anchor(1, 0, 25, 30)};
  EXPECT_EQ(*newest_anchor(anchors), anchor(1, 0, 25, 30));
  EXPECT_EQ(lowest_target(anchors), TargetOffset(10));
  EXPECT_EQ(lowest_target({}), TargetOffset(std::numeric_limits<int64_t>::max()));
}

TEST(TranslationRuns, RunIsCutByClaimsBelowIt) {
  const TranslationRun whole{SourceOffset(5), TargetOffset(15), 5, LogEpoch(3), LeadershipEpoch(1)};
  TranslationRun run = whole;
  cut_below(run, TargetOffset(15));
  EXPECT_EQ(run, whole);
  cut_below(run, TargetOffset(17));
  const TranslationRun expected{SourceOffset(7), TargetOffset(17), 3, LogEpoch(3), LeadershipEpoch(1)};
  EXPECT_EQ(run, expected);
  cut_below(run, TargetOffset(99));
  EXPECT_EQ(run.length, 0);
}

TEST(TranslationRuns, RunGrowsOnlyByItsSuccessorInTheSameEpochs) {
  const TranslationRun first{SourceOffset(0), TargetOffset(10), 5, LogEpoch(3), LeadershipEpoch(1)};
  TranslationRun next{SourceOffset(5), TargetOffset(15), 2, LogEpoch(3), LeadershipEpoch(1)};
  TranslationRun run = first;
  EXPECT_TRUE(extend_run(run, next));
  EXPECT_EQ(run.length, 7);
  for (int field = 0; field < 4; ++field) {
    TranslationRun other = next;
    if (field == 0) other.source += 1;
    if (field == 1) other.target += 1;
    if (field == 2) other.source_epoch += 1;
    if (field == 3) other.target_epoch += 1;
    run = first;
    EXPECT_FALSE(extend_run(run, other));
    EXPECT_EQ(run, first);
  }
}

// A relay as the sink does it, which remembers where each batch came from.
class Relay {
 public:
  explicit Relay(Random& random) : random_(random) {}

  void step() {
    switch (random_.below(25)) {
      case 0:  // a takeover: our abort marker stands in the log, sequences begin at 0
        ++producer.epoch;
        if (random_.chance(0.1)) producer = {producer.id + 1, 0};
        sequence = 0;
        target += 1 + random_.between(0, 3);
        anchored = false;
        break;
      case 1:  // records of others, or compaction, at the target
        target += random_.between(1, 50);
        break;
      case 2:  // a gap in the source
        source += random_.between(1, 1000);
        anchored = false;
        break;
      case 3:
        ++source_epoch;
        anchored = false;
        break;
      case 4:  // an anchor is written, and the source deletes the batch before it is sent
        write_anchor();
        source += random_.between(1, 1000);
        anchored = false;
        break;
      default:
        send();
    }
  }

  struct Sent {
    RelayedBatch batch;
    int64_t source = 0;
    int32_t source_epoch = 0;
  };
  std::vector<RelayAnchor> anchors;
  std::vector<Sent> sent;
  kafka::ProducerIdentity producer{kId, 0};
  int32_t sequence = 0, source_epoch = 1;
  int64_t source = 0, target = 0, under_anchor = 0;
  bool anchored = false;

 private:
  void write_anchor() {
    anchors.push_back({producer, sequence, SourceOffset(source), LogEpoch(source_epoch), TargetOffset(target)});
    under_anchor = 0;
    anchored = true;
  }
  void send() {
    // Large ones, so that sequences wrap many times.
    const auto length = static_cast<int32_t>(random_.chance(0.3) ? random_.between(1, 1 << 29) : random_.between(1, 9));
    if (!anchored || under_anchor + length > kAnchorIntervalMax) write_anchor();
    Sent each;
    each.batch = {producer, sequence, length, TargetOffset(target), LeadershipEpoch(1)};
    each.source = source;
    each.source_epoch = source_epoch;
    sent.push_back(each);
    sequence = sequence_after(sequence, length);
    source += length;
    target += length;
    under_anchor += length;
  }
  Random& random_;
};

TEST(AnchorOf, EveryBatchOfARandomRelayIsPlacedWhereItCameFrom) {
  Random random(announced_seed(20261129));
  int wraps = 0;
  for (int round = 0; round < 300; ++round) {
    Relay relay(random);
    for (int step = 0; step < 100; ++step) {
      const int32_t before = relay.sequence;
      const kafka::ProducerIdentity owner = relay.producer;
      relay.step();
      if (relay.producer == owner && relay.sequence < before) ++wraps;
    }
    shuffle(relay.anchors, random);
    for (const Relay::Sent& each : relay.sent) {
      auto placed = place_batch(relay.anchors, each.batch);
      ASSERT_TRUE(placed) << "round " << round;
      ASSERT_EQ(placed->run.source, SourceOffset(each.source)) << "round " << round;
      ASSERT_EQ(placed->run.source_epoch, LogEpoch(each.source_epoch)) << "round " << round;
      ASSERT_EQ(placed->run.target, each.batch.base);
      ASSERT_EQ(placed->run.length, each.batch.length);
    }
  }
  EXPECT_GT(wraps, 300);
}

// Compaction keeps of each (producer, sequence) the last anchor. What was relayed less than one round of sequences ago
// is placed as before.
TEST(AnchorOf, CompactionOfTheLogChangesNoPlaceOfTheLastRound) {
  Random random(announced_seed(20261129));
  int checked = 0;
  for (int round = 0; round < 300; ++round) {
    Relay relay(random);
    for (int step = 0; step < 100; ++step) relay.step();
    std::vector<RelayAnchor> kept;
    for (const RelayAnchor& each : relay.anchors) {
      std::erase_if(
          kept, [&](const RelayAnchor& old) { return old.producer == each.producer && old.sequence == each.sequence; });
      kept.push_back(each);
    }
    shuffle(kept, random);
    for (const Relay::Sent& each : relay.sent) {
      if (each.batch.base < TargetOffset(relay.target - kAnchorIntervalMax + 1)) continue;
      ++checked;
      ASSERT_EQ(source_of(kept, each.batch), each.source) << "round " << round;
    }
  }
  EXPECT_GT(checked, 1000);
}

// The rule in the words of FORMAT.md, step by step: of the producer's anchors that are not above the batch, those that
// reach it, the one written last.
std::optional<RelayAnchor> naive_anchor(std::vector<RelayAnchor> anchors, const RelayedBatch& each) {
  std::erase_if(anchors, [&](const RelayAnchor& a) { return a.producer.id != each.producer.id; });
  std::erase_if(anchors, [&](const RelayAnchor& a) { return a.producer.epoch != each.producer.epoch; });
  std::erase_if(anchors, [&](const RelayAnchor& a) { return a.target_from.value() > each.base.value(); });
  auto ahead = [&](const RelayAnchor& a) {
    int64_t records = int64_t{each.sequence} - a.sequence;
    while (records < 0) records += int64_t{1} << 31;
    return records;
  };
  std::erase_if(anchors, [&](const RelayAnchor& a) { return ahead(a) > kAnchorReachMax; });
  if (anchors.empty()) return std::nullopt;
  std::sort(anchors.begin(), anchors.end(), [&](const RelayAnchor& a, const RelayAnchor& b) {
    if (a.target_from != b.target_from) return a.target_from < b.target_from;
    if (ahead(a) != ahead(b)) return ahead(a) > ahead(b);
    if (a.source != b.source) return a.source < b.source;
    return a.source_epoch < b.source_epoch;
  });
  return anchors.back();
}

TEST(AnchorOf, AnyAnchorsInAnyOrderGiveWhatTheNaiveRuleGives) {
  Random random(announced_seed(20261129));
  constexpr int32_t kLast = std::numeric_limits<int32_t>::max();
  // Few values, so that ties are frequent, around everything that matters: the wrap, the reach, half a round.
  const std::vector<int32_t> sequences{0,         1,    2, kAnchorIntervalMax, kAnchorReachMax, kAnchorReachMax + 1,
                                       kLast - 1, kLast};
  auto sequence = [&] { return sequences[random.below(sequences.size())]; };
  int found = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<RelayAnchor> anchors;
    for (uint64_t n = random.below(9); n > 0; --n) {
      RelayAnchor each = anchor(static_cast<int16_t>(random.below(2)), sequence(), random.between(0, 4),
                                random.between(0, 5), static_cast<int32_t>(random.below(2)));
      each.producer.id += static_cast<int64_t>(random.below(2));
      anchors.push_back(each);
    }
    RelayedBatch each = batch(static_cast<int16_t>(random.below(2)), sequence(), 3, random.between(0, 5));
    each.producer.id += static_cast<int64_t>(random.below(2));
    auto naive = naive_anchor(anchors, each);
    shuffle(anchors, random);
    const RelayAnchor* given = anchor_of(anchors, each);
    ASSERT_EQ(given != nullptr, naive.has_value()) << "round " << round;
    if (!given) continue;
    ++found;
    ASSERT_EQ(*given, *naive) << "round " << round;
  }
  EXPECT_GT(found, 2000);
}

// A relay appends runs and, at gaps and transaction markers, anchors. Whatever part of its runs is written down:
// nothing below the known end is missing, and with a fresh anchor the end is exact.
TEST(KnownEnd, IsNeverBeyondWhatWasRelayedAndExactBehindAnAnchor) {
  Random random(announced_seed(20261130));
  for (int round = 0; round < 500; ++round) {
    std::vector<RelayAnchor> anchors;
    std::optional<TranslationRun> written, grown;
    int64_t source = random.between(0, 50), target = random.between(0, 50);
    int32_t sequence = 0, epoch = 1;
    for (int step = 0; step < 20; ++step) {
      const bool gap = anchors.empty() || random.below(3) == 0;
      if (gap) {
        source += random.between(0, 5);
        epoch += static_cast<int32_t>(random.below(2));
        target += random.between(0, 3);  // a takeover's marker, or another program's record
        written = grown;                 // the journal writes what waits before an anchor
        RelayAnchor anchor;
        anchor.producer = kafka::ProducerIdentity{7, 1};
        anchor.sequence = sequence;
        anchor.source = SourceOffset(source);
        anchor.source_epoch = LogEpoch(epoch);
        anchor.target_from = TargetOffset(target);
        anchors.push_back(anchor);
      } else {
        const int64_t length = random.between(1, 9);
        TranslationRun run;
        run.source = SourceOffset(source);
        run.target = TargetOffset(target);
        run.length = length;
        run.source_epoch = LogEpoch(epoch);
        if (!grown || !extend_run(*grown, run)) grown = run;
        source += length;
        target += length;
        sequence += static_cast<int32_t>(length);
        if (random.below(2) == 0) written = grown;
      }
      const auto known = known_end(anchors, written);
      ASSERT_TRUE(known.has_value());
      ASSERT_LE(known->source.value(), source);
      ASSERT_LE(known->target.value(), target);
      if (gap || written == grown) {
        ASSERT_EQ(known->source.value(), source);
        ASSERT_EQ(known->target.value(), target);
      }
      ASSERT_GE(known->source, anchors.back().source);
    }
  }
}

TEST(KnownEnd, IsUnknownIfNothingWasWrittenDown) { EXPECT_FALSE(known_end({}, std::nullopt).has_value()); }

}  // namespace
}  // namespace farshore
