#include "replicator/relay/evidence.h"

#include <gtest/gtest.h>

namespace farshore::replicator {
namespace {

constexpr int64_t kId = 7;

RelayAnchor anchor(int16_t epoch, int32_t sequence, int64_t source, int64_t target_from, int32_t source_epoch = 3) {
  return {{kId, epoch}, sequence, SourceOffset(source), LogEpoch(source_epoch), TargetOffset(target_from)};
}
TranslationRun run(int64_t source, int64_t target, int64_t length, int32_t source_epoch = 3, int32_t target_epoch = 1) {
  return {SourceOffset(source), TargetOffset(target), length, LogEpoch(source_epoch), LeadershipEpoch(target_epoch)};
}
RelayedBatch seen(int16_t epoch, int32_t sequence, int32_t length, int64_t base, int32_t target_epoch = 1) {
  return {{kId, epoch}, sequence, length, TargetOffset(base), LeadershipEpoch(target_epoch)};
}
RelayEvidence evidence(int64_t from, int64_t to, std::vector<RelayedBatch> batches = {}) {
  return {{kId, 9}, TargetOffset(from), TargetOffset(to), std::move(batches), {}};
}
RelayResume resumed(const RelayClaims& claims, const RelayEvidence& what) {
  auto result = resume_from(claims, what);
  if (auto* uncertain = std::get_if<RelayUncertain>(&result)) ADD_FAILURE() << uncertain->reason;
  auto* resume = std::get_if<RelayResume>(&result);
  return resume ? *resume : RelayResume{};
}
RelayUncertain uncertain(const RelayClaims& claims, const RelayEvidence& what) {
  auto result = resume_from(claims, what);
  auto* found = std::get_if<RelayUncertain>(&result);
  EXPECT_TRUE(found) << "resumed at " << std::get<RelayResume>(result).source.value();
  return found ? *found : RelayUncertain{};
}
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

TEST(RelayEvidence, WithoutClaimsAndBatchesTheRelayIsFresh) {
  EXPECT_EQ(scan_from({}), TargetOffset(kHighest));
  RelayResume at = resumed({}, evidence(40, 50));
  EXPECT_EQ(at.source, SourceOffset(0));
  EXPECT_EQ(at.source_epoch, LogEpoch(-1));
  EXPECT_TRUE(at.found.empty());
  EXPECT_EQ(std::get<RelayResume>(resume_from({}, evidence(40, 50), SourceOffset(12))).source, SourceOffset(12));
}

TEST(RelayEvidence, LostLogOfRecordIsNotTakenForAFreshRelay) {
  RelayEvidence what = evidence(40, 50);
  what.remembered.push_back({{kId, 8}, 99});
  EXPECT_NE(uncertain({}, what).reason.find("producer 7 epoch 8"), std::string::npos);
  what.remembered = {{{kId, 8}, -1}};  // a takeover that wrote nothing
  EXPECT_EQ(resumed({}, what).source, SourceOffset(0));
  what.seen = {seen(8, 0, 5, 45)};
  EXPECT_EQ(uncertain({}, what).to, SourceOffset(kHighest));
}

TEST(RelayEvidence, ScanBeginsWhereTheLastClaimEndsOrTheNewestAnchorBegins) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  EXPECT_EQ(scan_from(claims), TargetOffset(40));
  // Everything before an anchor was claimed when it was written.
  claims.anchors.push_back(anchor(1, 0, 50, 70));
  EXPECT_EQ(scan_from(claims), TargetOffset(70));
  claims.last_run.reset();
  EXPECT_EQ(scan_from(claims), TargetOffset(70));
  claims.anchors.pop_back();
  EXPECT_EQ(scan_from(claims), TargetOffset(10));
}

TEST(RelayEvidence, RelayContinuesBehindTheLastBatchFoundAtTheTarget) {
  RelayClaims claims{{anchor(0, 0, 100, 10)}, run(100, 10, 30)};
  RelayResume at = resumed(claims, evidence(40, 60, {seen(0, 30, 5, 40), seen(0, 35, 1, 45), seen(0, 36, 4, 50)}));
  EXPECT_EQ(at.source, SourceOffset(140));
  EXPECT_EQ(at.source_epoch, LogEpoch(3));
  ASSERT_EQ(at.found.size(), 2u);  // a foreign batch stands between 46 and 50
  EXPECT_EQ(at.found[0], run(130, 40, 6));
  EXPECT_EQ(at.found[1], run(136, 50, 4));
}

TEST(RelayEvidence, FoundRunEndsWhereAnEpochEnds) {
  RelayClaims claims{{anchor(0, 0, 0, 10, 3), anchor(0, 6, 6, 16, 4)}, {}};
  RelayResume at = resumed(
      claims,
      evidence(10, 40, {seen(0, 0, 4, 10, 1), seen(0, 4, 2, 14, 2), seen(0, 6, 3, 16, 2), seen(0, 9, 1, 19, 2)}));
  ASSERT_EQ(at.found.size(), 3u);
  EXPECT_EQ(at.found[0], run(0, 10, 4, 3, 1));
  EXPECT_EQ(at.found[1], run(4, 14, 2, 3, 2));
  EXPECT_EQ(at.found[2], run(6, 16, 4, 4, 2));
  EXPECT_EQ(at.source, SourceOffset(10));
  EXPECT_EQ(at.source_epoch, LogEpoch(4));
}

TEST(RelayEvidence, BatchThatIsPartlyClaimedIsFoundFromTheClaimOn) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 7)};  // the claim ends inside a batch
  RelayResume at = resumed(claims, evidence(17, 40, {seen(0, 5, 5, 15)}));
  EXPECT_EQ(at.source, SourceOffset(10));
  ASSERT_EQ(at.found.size(), 1u);
  EXPECT_EQ(at.found[0], run(7, 17, 3));
}

TEST(RelayEvidence, RelayContinuesAtTheClaimsEndWithoutLaterBatches) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayResume at = resumed(claims, evidence(40, 41));
  EXPECT_EQ(at.source, SourceOffset(30));
  EXPECT_EQ(at.source_epoch, LogEpoch(3));
  EXPECT_TRUE(at.found.empty());
}

TEST(RelayEvidence, RelayContinuesAtAnAnchorWithoutBatches) {
  // After a takeover whose gateway died at once: found runs were not written down, the anchor was.
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(1, 0, 55, 70)}, run(0, 10, 30)};
  std::vector<RelayedBatch> batches{seen(0, 30, 25, 40)};
  RelayResume at = resumed(claims, evidence(40, 72, batches));
  EXPECT_EQ(at.source, SourceOffset(55));
  ASSERT_EQ(at.found.size(), 1u);
  EXPECT_EQ(at.found[0], run(30, 40, 25));
  // At a jump: the source has nothing between 30 and 100.
  claims = {{anchor(0, 0, 0, 10), anchor(0, 30, 100, 40, 5)}, run(0, 10, 30)};
  at = resumed(claims, evidence(40, 41));
  EXPECT_EQ(at.source, SourceOffset(100));
  EXPECT_EQ(at.source_epoch, LogEpoch(5));
  // Where the anchor only opened a new epoch of ours, the record before it is the claim's last.
  claims = {{anchor(0, 0, 0, 10), anchor(1, 0, 30, 41, 5)}, run(0, 10, 30)};
  EXPECT_EQ(resumed(claims, evidence(40, 42)).source_epoch, LogEpoch(3));
}

TEST(RelayEvidence, BatchUnderALaterAnchorIsPlacedByThatAnchor) {
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(0, 30, 100, 40)}, run(0, 10, 30)};
  RelayResume at = resumed(claims, evidence(40, 60, {seen(0, 30, 4, 40), seen(0, 34, 4, 44)}));
  EXPECT_EQ(at.source, SourceOffset(108));
  ASSERT_EQ(at.found.size(), 1u);
  EXPECT_EQ(at.found[0], run(100, 40, 8));
}

TEST(RelayEvidence, OfTwoAnchorsForOneSequenceTheLaterOneCounts) {
  // The source deleted what the first one was written for before it was sent.
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(0, 30, 100, 40), anchor(0, 30, 500, 40)}, run(0, 10, 30)};
  EXPECT_EQ(resumed(claims, evidence(40, 60)).source, SourceOffset(500));
  EXPECT_EQ(resumed(claims, evidence(40, 60, {seen(0, 30, 4, 40)})).source, SourceOffset(504));
}

TEST(RelayEvidence, BatchesOfSeveralTakeoversAreFollowedInOrder) {
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(1, 0, 20, 32), anchor(2, 0, 25, 40)}, {}};
  RelayResume at = resumed(claims, evidence(10, 60, {seen(0, 0, 20, 10), seen(1, 0, 5, 33), seen(2, 0, 5, 41)}));
  EXPECT_EQ(at.source, SourceOffset(30));
  EXPECT_EQ(at.found.size(), 3u);
}

TEST(RelayEvidence, LastBatchIsEnoughAfterRetentionAtTheTarget) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayResume at = resumed(claims, evidence(80, 90, {seen(0, 70, 5, 80)}));
  EXPECT_EQ(at.source, SourceOffset(75));
  ASSERT_EQ(at.found.size(), 1u);
  EXPECT_EQ(at.found[0], run(70, 80, 5));
}

TEST(RelayEvidence, BrokersProducerStateDecidesAfterAllBatchesWereDeleted) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayEvidence what = evidence(80, 90);
  what.remembered = {{{kId, 0}, 59}, {{99, 0}, 1000}};
  EXPECT_EQ(resumed(claims, what).source, SourceOffset(60));
  // Deleted before it was written down, and nothing was relayed since the newest anchor.
  claims.anchors.push_back(anchor(1, 0, 30, 45));
  what.remembered = {{{kId, 1}, -1}};
  EXPECT_EQ(resumed(claims, what).source, SourceOffset(30));
  what.remembered = {{{kId, 1}, 4}};
  EXPECT_EQ(resumed(claims, what).source, SourceOffset(35));
}

TEST(RelayEvidence, ProducerStateFromBeforeTheNewestAnchorMeansThatAnchor) {
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(0, 30, 100, 40)}, {}};
  RelayEvidence what = evidence(80, 90);
  what.remembered = {{{kId, 0}, 29}};
  EXPECT_EQ(resumed(claims, what).source, SourceOffset(100));
}

TEST(RelayEvidence, WithoutEvidenceTheUncertainRangeIsNamed) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayEvidence what = evidence(80, 90);
  RelayUncertain lost = uncertain(claims, what);
  EXPECT_EQ(lost.from, SourceOffset(30));
  EXPECT_EQ(lost.to, SourceOffset(70));  // each of 40 deleted offsets may have been one of ours
  EXPECT_NE(lost.reason.find("deleted its offsets 40 to 80"), std::string::npos) << lost.reason;
  what.remembered = {{{kId, 1}, -1}};  // of a takeover that wrote no anchor: says nothing about the epoch before
  EXPECT_EQ(uncertain(claims, what).from, SourceOffset(30));
  what.remembered = {{{kId, 0}, -1}};  // a marker behind a claim: what the target remembers is not what was written
  claims.anchors = {anchor(0, 5, 0, 10)};
  EXPECT_EQ(uncertain(claims, what).from, SourceOffset(30));
  what.remembered = {{{kId, 0}, 900}};  // more than was deleted
  EXPECT_EQ(uncertain(claims, what).from, SourceOffset(30));
}

TEST(RelayEvidence, HoleBetweenBatchesIsUncertain) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayUncertain lost = uncertain(claims, evidence(40, 60, {seen(0, 30, 5, 40), seen(0, 40, 5, 45)}));
  EXPECT_EQ(lost.from, SourceOffset(35));
  EXPECT_EQ(lost.to, SourceOffset(40));
  lost = uncertain(claims, evidence(40, 60, {seen(0, 31, 5, 40)}));
  EXPECT_EQ(lost.from, SourceOffset(30));
  EXPECT_EQ(lost.to, SourceOffset(31));
}

TEST(RelayEvidence, SecondCopyOfABatchIsUncertainAndNamed) {
  RelayClaims claims{{anchor(0, 0, 0, 10), anchor(1, 0, 10, 45)}, run(0, 10, 30)};
  RelayUncertain twice = uncertain(claims, evidence(40, 60, {seen(1, 0, 5, 45)}));
  EXPECT_EQ(twice.from, SourceOffset(10));
  EXPECT_NE(twice.reason.find("second time"), std::string::npos);
}

TEST(RelayEvidence, BatchWithoutItsAnchorIsUncertain) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayUncertain unknown = uncertain(claims, evidence(40, 60, {seen(1, 0, 5, 40)}));
  EXPECT_EQ(unknown.from, SourceOffset(30));
  EXPECT_EQ(unknown.to, SourceOffset(kHighest));
  // Nor does an anchor explain what stands below it.
  unknown = uncertain({{anchor(0, 0, 0, 50)}, {}}, evidence(40, 60, {seen(0, 0, 5, 40)}));
  EXPECT_NE(unknown.reason.find("offset 40"), std::string::npos);
}

TEST(RelayEvidence, SequencesThatWrapAreFollowed) {
  constexpr int32_t kLast = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(sequence_after(kLast, 1), 0);
  EXPECT_EQ(sequence_distance(kLast, 1), 2);
  const int64_t far = int64_t{1} << 31;
  RelayClaims claims{{anchor(0, 1 << 30, far / 2, 1 << 30)}, run(0, 0, far - 10)};
  RelayResume at =
      resumed(claims, evidence(far - 10, far + 50, {seen(0, kLast - 9, 10, far - 10), seen(0, 0, 5, far + 1)}));
  EXPECT_EQ(at.source, SourceOffset(far + 5));
  // The second time round, an anchor with the same sequence as the first one.
  claims = {{anchor(0, 0, 0, 0), anchor(0, 1 << 30, far / 2, 1 << 30), anchor(0, 0, far, far)}, run(0, 0, far)};
  at = resumed(claims, evidence(far, far + 50, {seen(0, 0, 5, far)}));
  EXPECT_EQ(at.source, SourceOffset(far + 5));
}

TEST(RelayEvidence, OperatorsWordIsFollowedOnceAndOnlyWhereNothingIsKnown) {
  const RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  const std::variant<RelayResume, RelayUncertain> at30 = RelayResume{SourceOffset(30), LogEpoch(3), {run(20, 30, 10)}};
  const std::variant<RelayResume, RelayUncertain> lost =
      RelayUncertain{SourceOffset(30), SourceOffset(50), "forgotten"};
  EXPECT_FALSE(go_on_at({SourceOffset(30), true}, claims, at30)) << "it is there anyway";
  EXPECT_FALSE(go_on_at({SourceOffset(10), true}, claims, at30));
  auto over = go_on_at({SourceOffset(35), true}, claims, at30);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->source, SourceOffset(35));
  EXPECT_EQ(over->found.size(), 1u) << "what was found is told all the same";
  EXPECT_FALSE(go_on_at({SourceOffset(29), true}, claims, lost)) << "records that are at the target would come twice";
  for (int64_t to : {30, 40, 50}) EXPECT_EQ(go_on_at({SourceOffset(to), true}, claims, lost)->source, SourceOffset(to));
  // Read from what is stored, after a restart: followed before, if the claims have come so far.
  EXPECT_FALSE(go_on_at({SourceOffset(30), false}, claims, lost));
  EXPECT_TRUE(go_on_at({SourceOffset(31), false}, claims, lost));
}

TEST(RelayEvidence, ScanBeginsBehindWhatWasSettled) {
  RelayClaims claims{{anchor(0, 0, 0, 10)}, run(0, 10, 30)};
  RelayAnchor settles = anchor(1, 0, 50, 70, -1);
  settles.settles = true;
  claims.anchors.push_back(settles);
  EXPECT_EQ(scan_from(claims), TargetOffset(70));
  EXPECT_EQ(resumed(claims, evidence(70, 75)).source, SourceOffset(50));
}

}  // namespace
}  // namespace farshore::replicator
