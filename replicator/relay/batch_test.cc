#include "replicator/relay/batch.h"

#include <gtest/gtest.h>

#include "proto/batch/builder.h"

namespace farshore::replicator {
namespace {

BatchBuilder two_records(bool delete_horizon = false) {
  BatchBuilder builder;
  if (delete_horizon) builder.delete_horizon(77);
  builder.base_offset(40).leader_epoch(6).producer(5, 1, 9).add(1000, "k", "v").add(1000, "k", "w");
  return builder;
}

TEST(RelayBatch, StampedBatchKeepsItsRecords) {
  SlabArena arena;
  BatchRun run = two_records(true).build_run(arena);
  const BatchHeader before = run.batches[0];
  ASSERT_TRUE(before.has_delete_horizon());
  std::vector<std::byte> records(before.size_bytes() - kBatchHeaderBytes), after(records.size());
  run.bytes.copy_out(kBatchHeaderBytes, records);
  stamp_for_relay(run, {1001, 4}, 123);
  EXPECT_TRUE(verify_crc(run));
  std::array<std::byte, kBatchHeaderBytes> raw;
  run.bytes.copy_out(0, raw);
  const BatchHeader stamped = BatchHeader::parse(raw).value();
  EXPECT_EQ(stamped.base_offset, 0);
  EXPECT_EQ(stamped.partition_leader_epoch, -1);
  EXPECT_EQ(stamped.producer_id, 1001);
  EXPECT_EQ(stamped.producer_epoch, 4);
  EXPECT_EQ(stamped.base_sequence, 123);
  EXPECT_FALSE(stamped.has_delete_horizon());
  EXPECT_EQ(stamped.record_count, 2);
  EXPECT_EQ(stamped.base_timestamp, before.base_timestamp);
  run.bytes.copy_out(kBatchHeaderBytes, after);
  EXPECT_EQ(records, after);
}

TEST(RelayBatch, StampedBatchThatWasDamagedStaysDamaged) {
  SlabArena arena;
  BatchRun run = two_records().build_run(arena);
  const std::byte other[] = {std::byte{0xee}};
  run.bytes.patch(run.bytes.size() - 1, other);
  stamp_for_relay(run, {1, 0}, 0);
  EXPECT_FALSE(verify_crc(run));
}

TEST(RelayBatch, BatchThatCannotBeRelayedUnchangedIsRefusedWithTheReason) {
  BatchHeader batch;
  batch.base_offset = 12;
  batch.record_count = 2;
  batch.last_offset_delta = 1;
  EXPECT_TRUE(can_relay_raw(batch));
  const std::pair<int16_t, const char*> bits[] = {{0x08, "LogAppendTime"}, {0x10, "transaction"}};
  for (const auto& [bit, word] : bits) {
    batch.attributes = bit;
    Status refused = can_relay_raw(batch);
    ASSERT_FALSE(refused) << bit;
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().detail.find(word), std::string::npos) << refused.error().detail;
    EXPECT_NE(refused.error().detail.find("offset 12"), std::string::npos);
  }
  batch.attributes = 0x40;  // a delete horizon is only cleared
  EXPECT_TRUE(can_relay_raw(batch));
  batch.attributes = 0;
  batch.last_offset_delta = 2;
  EXPECT_FALSE(can_relay_raw(batch));
}

TEST(RelayBatch, RefusalIsFinalOnlyIfTryingAgainCannotHelp) {
  using Code = kafka::ErrorCode;
  const RefusedBatch batch{"orders", 3, SourceOffset(77), 5000, 1234};
  auto mean = [&](Code code) { return produce_error(static_cast<int16_t>(code), std::nullopt, batch); };
  for (Code code : {Code::kInvalidProducerEpoch, Code::kProducerFenced, Code::kInvalidProducerIdMapping})
    EXPECT_EQ(mean(code).code, ErrorCode::kFenced);
  for (Code code : {Code::kMessageTooLarge, Code::kInvalidTimestamp, Code::kInvalidRecord}) {
    EXPECT_EQ(mean(code).code, ErrorCode::kInvalidArgument);
    EXPECT_NE(mean(code).detail.find("source offset 77 (5000 bytes)"), std::string::npos) << mean(code).detail;
  }
  EXPECT_NE(mean(Code::kMessageTooLarge).detail.find("max.message.bytes"), std::string::npos);
  EXPECT_EQ(mean(Code::kTopicAuthorizationFailed).code, ErrorCode::kPermissionDenied);
  for (Code code : {Code::kDuplicateSequenceNumber, Code::kOutOfOrderSequenceNumber, Code::kUnknownProducerId,
                    Code::kNotLeaderOrFollower, Code::kRequestTimedOut, Code::kNotEnoughReplicasAfterAppend,
                    Code::kUnknownServerError})
    EXPECT_EQ(mean(code).code, ErrorCode::kUnavailable);
}

TEST(RelayBatch, MarkersAndEmptyBatchesCarryNoRecord) {
  BatchHeader batch;
  batch.record_count = 1;
  EXPECT_FALSE(carries_no_record(batch));
  for (int16_t attributes : {0x20, 0x30}) {
    batch.attributes = attributes;
    EXPECT_TRUE(carries_no_record(batch));
  }
  batch.attributes = 0;
  batch.record_count = 0;
  EXPECT_TRUE(carries_no_record(batch));
}

}  // namespace
}  // namespace farshore::replicator
