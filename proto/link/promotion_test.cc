// PromotionRecord in its stored forms and on the wire.
#include <gtest/gtest.h>

#include "base/random.h"
#include "proto/link/promotion_json.h"
#include "proto/link/promotion_wire.h"
#include "proto/link/testing/samples.h"

namespace farshore {
namespace {

int64_t number(Random& random) { return static_cast<int64_t>(random.next() >> 1); }

PromotionRecord random_record(Random& random) {
  PromotionRecord record;
  record.kind = random.next() % 2 == 0 ? PromotionKind::kPromote : PromotionKind::kFailover;
  record.wall_ms = number(random);
  record.link = LinkId(random.uuid());
  record.source_cluster_id = ClusterId(random.uuid().to_string());
  record.source_topic = SourceTopicId(random.uuid());
  for (int32_t p = 0; p < static_cast<int32_t>(random.next() % 4); ++p) {
    auto& end = record.partitions.emplace_back(mirror_end(p, Offset(number(random))));
    end.last_epoch = LogEpoch(static_cast<int32_t>(random.next()));
    end.new_epoch = LeadershipEpoch(static_cast<int32_t>(random.next()));
    end.source_high_watermark = SourceOffset(number(random));
    end.lost_at_least_records = number(random);
    end.blind_window_ms = number(random);
    for (uint64_t t = random.next() % 3; t > 0; --t) {
      auto& transaction = end.aborted.emplace_back();
      transaction.producer_id = number(random);
      transaction.producer_epoch = static_cast<int16_t>(random.next());
      transaction.first = Offset(number(random));
      for (uint64_t c = random.next() % 3; c > 0; --c)
        transaction.committed.push_back({"topic", static_cast<int32_t>(c), Offset(number(random))});
      transaction.maybe_torn = transaction.committed.empty() && random.next() % 2 == 0;
    }
  }
  return record;
}

TEST(PromotionRecord, EndOfAnOfflinePartitionIsStoredAndNotToldAsAnEnd) {
  PromotionRecord record;
  record.partitions.push_back(mirror_end(0, Offset(7)));
  record.partitions.push_back(mirror_end(1, Offset(-1)));
  record.partitions[1].state = EndState::kOffline;
  auto back = mirror_promotion_from_json(mirror_promotion_to_json(record));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(*back, record);
  MirrorTopicAnswer answer;
  answer.mirror_state = wire_value(MirrorRole::kFailedOver);
  for (int32_t p = 0; p < 2; ++p) {
    answer.partitions.emplace_back().partition = p;
    put_promotion(record, answer.partitions.back());
  }
  EXPECT_TRUE(answer.partitions[0].promotion);
  EXPECT_FALSE(answer.partitions[1].promotion);
  const PromotionRecord told = get_promotion(answer);
  ASSERT_EQ(told.partitions.size(), 2U);
  EXPECT_EQ(told.partitions[0].state, EndState::kDone);
  EXPECT_EQ(told.partitions[1].state, EndState::kOffline);
  EXPECT_EQ(told.partitions[1].blind_window_ms, -1) << "unknown is not zero";
}

TEST(PromotionRecord, MirrorRecordsRoundTripThroughJson) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    PromotionRecord record = random_record(random);
    for (auto& end : record.partitions) end.lost_at_least_ms = number(random);
    auto back = mirror_promotion_from_json(mirror_promotion_to_json(record));
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(*back, record);
  }
}

TEST(PromotionRecord, RelayRecordsRoundTripThroughJson) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    PromotionRecord record = random_record(random);
    record.link = LinkId();  // a relay's entry has these beside the record
    record.source_cluster_id = ClusterId();
    record.source_topic = SourceTopicId();
    for (auto& end : record.partitions) {
      end.failover_target_offset = TargetOffset(number(random));
      end.new_epoch = LeadershipEpoch(-1);
      end.aborted.clear();
      end.note = "by what was written down";
    }
    auto back = relay_promotion_from_json(relay_promotion_to_json(record));
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(*back, record);
  }
}

TEST(PromotionRecord, MirrorRecordsRoundTripThroughMirrorControl) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    PromotionRecord record = random_record(random);
    if (record.partitions.empty()) continue;  // an answer without partitions carries no time
    MirrorTopicAnswer answer;
    answer.mirror_state = wire_value(role_after(record.kind));
    answer.link_id = record.link.value();
    answer.source_cluster_id = record.source_cluster_id.value();
    answer.source_topic_id = record.source_topic.value();
    for (const auto& end : record.partitions) {
      auto& partition = answer.partitions.emplace_back();
      partition.partition = end.partition;
      put_promotion(record, partition);
    }
    EXPECT_EQ(get_promotion(answer), record);
  }
}

TEST(PromotionRecord, PartitionThatTheRecordDoesNotHaveStaysWithoutPromotion) {
  MirrorPartitionAnswer answer;
  answer.partition = 7;
  put_promotion(samples::mirror_promotion(), answer);
  EXPECT_FALSE(answer.promotion);
}

TEST(PromotionRecord, RecordFromBeforeAbortedTransactionsWereStoredIsRead) {
  nlohmann::json json = mirror_promotion_to_json(samples::mirror_promotion());
  for (auto& end : json["partitions"]) end.erase("aborted");
  auto record = mirror_promotion_from_json(json);
  ASSERT_TRUE(record) << record.error().to_string();
  EXPECT_TRUE(record->partitions[0].aborted.empty());
}

TEST(PromotionRecord, UnknownKindAndMissingFieldsAreCorrupt) {
  nlohmann::json json = mirror_promotion_to_json(samples::mirror_promotion());
  json["kind"] = "retired";
  EXPECT_EQ(mirror_promotion_from_json(json).error().code, ErrorCode::kCorrupt);
  json = mirror_promotion_to_json(samples::mirror_promotion());
  json["partitions"][0].erase("new_epoch");
  EXPECT_EQ(mirror_promotion_from_json(json).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(relay_promotion_from_json(nlohmann::json::array()).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace farshore
