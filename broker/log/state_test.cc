// Producer state, epochs, indexes and the small files, by themselves.
#include <gtest/gtest.h>

#include "broker/log/epoch_cache.h"
#include "broker/log/indexes.h"
#include "broker/log/intent.h"
#include "broker/log/producer_state.h"

namespace farshore {
namespace {

BatchHeader batch(int64_t offset, int64_t producer, int16_t epoch, int32_t sequence, int32_t count = 1) {
  BatchHeader header;
  header.base_offset = offset;
  header.last_offset_delta = count - 1;
  header.record_count = count;
  header.producer_id = producer;
  header.producer_epoch = epoch;
  header.base_sequence = sequence;
  header.max_timestamp = 1000;
  return header;
}
BatchHeader txn_batch(int64_t offset, int64_t producer, int16_t epoch, int32_t sequence) {
  BatchHeader header = batch(offset, producer, epoch, sequence);
  header.attributes = 0x10;
  return header;
}
BatchHeader marker_batch(int64_t offset, int64_t producer, int16_t epoch) {
  BatchHeader header = batch(offset, producer, epoch, -1);
  header.attributes = 0x30;
  return header;
}
AppendOutcome check(const ProducerState& state, const BatchHeader& header) {
  BatchRun run;
  run.batches.push_back(header);
  return state.check_client(run).outcome;
}

TEST(ProducerState, AcceptsTheNextSequenceOnly) {
  ProducerState state;
  EXPECT_EQ(check(state, batch(0, 1, 0, 17)), AppendOutcome::kAppended) << "an unknown producer may begin anywhere";
  state.apply(batch(0, 1, 0, 17, 3));
  EXPECT_EQ(check(state, batch(3, 1, 0, 20)), AppendOutcome::kAppended);
  EXPECT_EQ(check(state, batch(3, 1, 0, 19)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(3, 1, 0, 21)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(3, 1, 0, 17, 3)), AppendOutcome::kDuplicate);
  EXPECT_EQ(check(state, batch(3, 1, 0, 17, 2)), AppendOutcome::kOutOfOrderSequence) << "not the same batch";
}

TEST(ProducerState, SequencesWrapAtTwoToTheThirtyOne) {
  ProducerState state;
  state.apply(batch(0, 1, 0, INT32_MAX - 1, 3));  // MAX-1, MAX, 0
  EXPECT_EQ(check(state, batch(3, 1, 0, 1)), AppendOutcome::kAppended);
  EXPECT_EQ(check(state, batch(3, 1, 0, INT32_MAX - 1, 3)), AppendOutcome::kDuplicate);
  ProducerState edge;
  edge.apply(batch(0, 1, 0, INT32_MAX));
  EXPECT_EQ(check(edge, batch(1, 1, 0, 0)), AppendOutcome::kAppended);
}

TEST(ProducerState, ANewEpochBeginsAtZeroAndFencesTheOld) {
  ProducerState state;
  state.apply(batch(0, 1, 3, 5));
  EXPECT_EQ(check(state, batch(1, 1, 4, 6)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(1, 1, 4, 0)), AppendOutcome::kAppended);
  state.apply(batch(1, 1, 4, 0));
  EXPECT_EQ(check(state, batch(2, 1, 3, 6)), AppendOutcome::kInvalidProducerEpoch);
  EXPECT_EQ(check(state, batch(2, 1, 4, 1)), AppendOutcome::kAppended);
}

TEST(ProducerState, AMarkerOfANewEpochFencesWithoutData) {
  ProducerState state;
  state.apply(batch(0, 1, 3, 5));
  (void)state.apply_marker(marker_batch(1, 1, 4), {ControlType::kAbort, 0});
  EXPECT_EQ(check(state, batch(2, 1, 3, 6)), AppendOutcome::kInvalidProducerEpoch);
  EXPECT_EQ(check(state, batch(2, 1, 4, 6)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(2, 1, 4, 0)), AppendOutcome::kAppended);
  auto again = ProducerState::decode(state.encode()).value();
  EXPECT_EQ(check(again, batch(2, 1, 4, 0)), AppendOutcome::kAppended);
  EXPECT_EQ(check(again, batch(2, 1, 4, 6)), AppendOutcome::kOutOfOrderSequence);
}

TEST(ProducerState, TheFirstUnstableOffsetIsTheOldestUndecided) {
  ProducerState state;
  EXPECT_FALSE(state.first_unstable());
  state.apply(txn_batch(10, 1, 0, 0));
  state.apply(txn_batch(12, 2, 0, 0));
  state.apply(txn_batch(14, 1, 0, 1));
  EXPECT_EQ(state.first_unstable(), Offset(10));
  auto done = state.apply_marker(marker_batch(20, 1, 0), {ControlType::kAbort, 0});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->first, Offset(10));
  EXPECT_EQ(done->last, Offset(20));
  EXPECT_TRUE(done->aborted);
  EXPECT_EQ(done->last_stable, Offset(12));
  state.on_high_watermark(Offset(20));
  EXPECT_EQ(state.first_unstable(), Offset(10)) << "its marker is at 20, not below";
  state.on_high_watermark(Offset(21));
  EXPECT_EQ(state.first_unstable(), Offset(12));
  done = state.apply_marker(marker_batch(21, 2, 0), {ControlType::kCommit, 0});
  EXPECT_FALSE(done->aborted);
  EXPECT_EQ(done->last_stable, Offset(22));
  state.on_high_watermark(Offset(22));
  EXPECT_FALSE(state.first_unstable());
  EXPECT_FALSE(state.apply_marker(marker_batch(22, 2, 0), {ControlType::kCommit, 0})) << "nothing was open";
}

TEST(ProducerState, TheNewestCommitIsKnownByTheEpochOfItsData) {
  ProducerState state;
  auto commit_of = [&] { return state.summaries().front().last_commit; };
  state.apply(txn_batch(0, 1, 3, 0));
  EXPECT_FALSE(commit_of());
  (void)state.apply_marker(marker_batch(1, 1, 3), {ControlType::kAbort, 0});
  EXPECT_FALSE(commit_of());
  state.apply(txn_batch(2, 1, 3, 1));
  (void)state.apply_marker(marker_batch(3, 1, 4), {ControlType::kCommit, 0});  // KIP-890: the marker raises the epoch
  ASSERT_TRUE(commit_of());
  EXPECT_EQ(commit_of()->producer_epoch, 3);
  EXPECT_EQ(commit_of()->marker, Offset(3));
  EXPECT_EQ(commit_of()->timestamp_ms, 1000);
  (void)state.apply_marker(marker_batch(4, 1, 4), {ControlType::kCommit, 0});
  EXPECT_EQ(commit_of()->marker, Offset(3)) << "that one ended nothing here";
  EXPECT_TRUE(state.summaries().front().commits_known);
  auto again = ProducerState::decode(state.encode());
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->summaries().front().commits_known) << "a snapshot does not say";
}

TEST(ProducerState, APlainBatchInsideATransactionIsRefused) {
  ProducerState state;
  state.apply(txn_batch(0, 1, 0, 0));
  EXPECT_EQ(check(state, batch(1, 1, 0, 1)), AppendOutcome::kInvalidTxnState);
  EXPECT_EQ(check(state, txn_batch(1, 1, 0, 1)), AppendOutcome::kAppended);
}

TEST(ProducerState, SnapshotsRoundTripAndRefuseDamage) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.apply(batch(i * 2, 5, 1, i * 2, 2));
  state.apply(txn_batch(20, 6, 0, 0));
  std::string bytes = state.encode();
  auto again = ProducerState::decode(bytes).value();
  EXPECT_EQ(again.encode(), bytes);
  EXPECT_EQ(again.first_unstable(), Offset(20));
  EXPECT_EQ(check(again, batch(14, 5, 1, 12, 2)), AppendOutcome::kDuplicate) << "the last batch is remembered";
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_FALSE(ProducerState::decode(bad)) << at;
    EXPECT_FALSE(ProducerState::decode(std::string_view(bytes).substr(0, at))) << at;
  }
}

TEST(EpochCache, AnswersAsKip279Says) {
  EpochCache cache;
  EXPECT_EQ(cache.end_of(LogEpoch(0), Offset(0)).epoch, LogEpoch(-1));
  cache.assign(LogEpoch(2), Offset(10));
  cache.assign(LogEpoch(5), Offset(20));
  cache.assign(LogEpoch(7), Offset(30));
  auto end = [&](int32_t epoch) {
    auto answer = cache.end_of(LogEpoch(epoch), Offset(40));
    return std::pair(answer.epoch.value(), answer.end.value());
  };
  EXPECT_EQ(end(7), std::pair(7, int64_t{40}));
  EXPECT_EQ(end(8), std::pair(-1, int64_t{-1}));
  EXPECT_EQ(end(6), std::pair(5, int64_t{30}));
  EXPECT_EQ(end(5), std::pair(5, int64_t{30}));
  EXPECT_EQ(end(3), std::pair(2, int64_t{20}));
  EXPECT_EQ(end(1), std::pair(1, int64_t{10}));
  EXPECT_EQ(end(-1), std::pair(-1, int64_t{-1}));
}

TEST(EpochCache, LaterAssignmentsWinOverWhatTheyContradict) {
  EpochCache cache;
  EXPECT_TRUE(cache.assign(LogEpoch(1), Offset(0)));
  EXPECT_FALSE(cache.assign(LogEpoch(1), Offset(5)));
  EXPECT_TRUE(cache.assign(LogEpoch(3), Offset(10)));
  EXPECT_TRUE(cache.assign(LogEpoch(4), Offset(10))) << "epoch 3 had no record";
  EXPECT_EQ(cache.entries().size(), 2U);
  EXPECT_FALSE(cache.assign(LogEpoch(-1), Offset(11)));
  EXPECT_TRUE(cache.truncate_end(Offset(10)));
  EXPECT_EQ(cache.latest(), LogEpoch(1));
}

TEST(EpochCache, RoundTripsAndRefusesDisorder) {
  EpochCache cache;
  cache.assign(LogEpoch(0), Offset(0));
  cache.assign(LogEpoch(65536), Offset(1LL << 40));
  EXPECT_EQ(EpochCache::decode(cache.encode())->entries(), cache.entries());
  for (const char* bad : {"", "0", "0\n", "1\n0\n", "0\n1\n", "0\n1\n5\n", "0\n2\n5 1\n4 2\n", "0\n2\n4 2\n5 2\n",
                          "0\n1\n4 2\n5 3\n", "0\n1\n-4 2\n", "0\n1\n4 2x\n"})
    EXPECT_FALSE(EpochCache::decode(bad)) << bad;
}

TEST(Indexes, FindWhatIsAtOrBelow) {
  OffsetIndex index(Offset(100));
  index.append(Offset(110), 50);
  index.append(Offset(120), 90);
  EXPECT_FALSE(index.at_or_below(Offset(109)));
  EXPECT_EQ(index.at_or_below(Offset(110))->position, 50U);
  EXPECT_EQ(index.at_or_below(Offset(500))->position, 90U);
  EXPECT_EQ(index.at_or_before(89)->position, 50U);
  auto again = OffsetIndex::decode(Offset(100), index.encode(), 200).value();
  EXPECT_EQ(again.encode(), index.encode());
  EXPECT_FALSE(OffsetIndex::decode(Offset(100), index.encode(), 60)) << "beyond the log";
  EXPECT_EQ(OffsetIndex::decode(Offset(100), index.encode() + std::string(80, '\0'), 200)->size(), 2U)
      << "Kafka's zeros";
}

TEST(Indexes, TransactionsThatOverlapAreCollected) {
  TxnIndex index;
  index.append({{1, Offset(10), Offset(20)}, Offset(15)});
  index.append({{2, Offset(15), Offset(30)}, Offset(31)});
  auto found = [&](int64_t from, int64_t to) {
    std::vector<AbortedTxn> all;
    (void)index.collect(Offset(from), Offset(to), all);
    return all.size();
  };
  EXPECT_EQ(found(0, 10), 0U);
  EXPECT_EQ(found(0, 11), 1U);
  EXPECT_EQ(found(16, 17), 2U);
  EXPECT_EQ(found(21, 30), 1U);
  EXPECT_EQ(found(31, 40), 0U);
}

TEST(Intent, RoundTripsAndRefusesDamage) {
  Intent intent;
  intent.kind = Intent::Kind::kSwap;
  intent.start = Offset(5);
  intent.replaced = {Offset(5), Offset(77)};
  std::string text = intent.encode();
  auto again = Intent::decode(text).value();
  EXPECT_EQ(again.replaced, intent.replaced);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string bad = text;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(Intent::decode(bad)) << at;
  }
}

}  // namespace
}  // namespace farshore
