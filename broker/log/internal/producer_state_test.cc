#include "broker/log/internal/producer_state.h"

#include <gtest/gtest.h>

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

TEST(ProducerState, OnlyTheNextSequenceIsAccepted) {
  ProducerState state;
  EXPECT_EQ(check(state, batch(0, 1, 0, 17)), AppendOutcome::kAppended) << "an unknown producer may begin anywhere";
  state.apply(batch(0, 1, 0, 17, 3));
  EXPECT_EQ(check(state, batch(3, 1, 0, 20)), AppendOutcome::kAppended);
  EXPECT_EQ(check(state, batch(3, 1, 0, 19)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(3, 1, 0, 21)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(3, 1, 0, 17, 3)), AppendOutcome::kDuplicate);
  EXPECT_EQ(check(state, batch(3, 1, 0, 17, 2)), AppendOutcome::kOutOfOrderSequence) << "not the same batch";
}

TEST(ProducerState, SequencesWrapAfterTheLargestInt32) {
  ProducerState state;
  state.apply(batch(0, 1, 0, INT32_MAX - 1, 3));  // MAX-1, MAX, 0
  EXPECT_EQ(check(state, batch(3, 1, 0, 1)), AppendOutcome::kAppended);
  EXPECT_EQ(check(state, batch(3, 1, 0, INT32_MAX - 1, 3)), AppendOutcome::kDuplicate);
  ProducerState edge;
  edge.apply(batch(0, 1, 0, INT32_MAX));
  EXPECT_EQ(check(edge, batch(1, 1, 0, 0)), AppendOutcome::kAppended);
}

TEST(ProducerState, NewEpochBeginsAtSequenceZeroAndFencesTheOldEpoch) {
  ProducerState state;
  state.apply(batch(0, 1, 3, 5));
  EXPECT_EQ(check(state, batch(1, 1, 4, 6)), AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(check(state, batch(1, 1, 4, 0)), AppendOutcome::kAppended);
  state.apply(batch(1, 1, 4, 0));
  EXPECT_EQ(check(state, batch(2, 1, 3, 6)), AppendOutcome::kInvalidProducerEpoch);
  EXPECT_EQ(check(state, batch(2, 1, 4, 1)), AppendOutcome::kAppended);
}

TEST(ProducerState, MarkerOfANewEpochFencesTheOldEpoch) {
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

TEST(ProducerState, FirstUnstableOffsetIsTheOldestOpenTransaction) {
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

TEST(ProducerState, NewestCommitHasTheEpochOfItsData) {
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

TEST(ProducerState, PlainBatchInsideATransactionIsRefused) {
  ProducerState state;
  state.apply(txn_batch(0, 1, 0, 0));
  EXPECT_EQ(check(state, batch(1, 1, 0, 1)), AppendOutcome::kInvalidTxnState);
  EXPECT_EQ(check(state, txn_batch(1, 1, 0, 1)), AppendOutcome::kAppended);
}

TEST(ProducerState, SnapshotRoundTripsAndDamageIsRefused) {
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

TEST(ProducerState, ProducerIdleForTheLongestIsForgottenBeyondTheLimit) {
  ProducerState state(100);
  state.apply(txn_batch(0, 7, 0, 0));
  for (int64_t id = 1000; id < 1300; ++id) {
    state.apply(batch(2 * id, id, 0, 5));
    state.apply(batch(2 * id + 1, 1000, 0, static_cast<int32_t>(id)));  // always in use
  }
  EXPECT_EQ(state.size(), 101U) << "the one with a transaction comes on top";
  EXPECT_EQ(state.first_unstable(), Offset(0)) << "an open transaction is never forgotten";
  EXPECT_EQ(check(state, batch(5000, 1000, 0, 1299)), AppendOutcome::kDuplicate);
  EXPECT_EQ(check(state, batch(5000, 1299, 0, 9)), AppendOutcome::kOutOfOrderSequence) << "remembered";
  EXPECT_EQ(check(state, batch(5000, 1001, 0, 9)), AppendOutcome::kAppended) << "forgotten, as if expired";
}

TEST(ProducerState, SnapshotOfMoreProducersThanTheLimitIsReadable) {
  ProducerState large(100'000);
  large.apply(txn_batch(0, 7, 0, 0));
  for (int64_t id = 1000; id < 51'000; ++id) large.apply(batch(id, id, 0, 5));
  auto small = ProducerState::decode(large.encode(), 100);
  ASSERT_TRUE(small) << small.error().to_string();
  EXPECT_EQ(small->size(), 101U);
  EXPECT_EQ(small->first_unstable(), Offset(0));
  EXPECT_EQ(check(*small, batch(60'000, 50'999, 0, 9)), AppendOutcome::kOutOfOrderSequence) << "the last ones stay";
  EXPECT_EQ(ProducerState::decode(small->encode(), 100)->encode(), small->encode());
}

TEST(ProducerState, ProducerMayBeForgottenAgainAfterItsTransaction) {
  ProducerState state(1);
  state.apply(txn_batch(0, 7, 0, 0));
  state.apply_marker(marker_batch(1, 7, 0), ControlMarker{ControlType::kAbort, 0});
  state.on_high_watermark(Offset(2));
  state.apply(batch(2, 8, 0, 0));
  EXPECT_EQ(state.size(), 1U);
  EXPECT_FALSE(state.first_unstable());
}

}  // namespace
}  // namespace farshore
