#include "broker/log/internal/segment_set.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

SegmentPtr segment(int64_t base, int64_t next = -1) {
  auto made = std::make_shared<Segment>(Offset(base), nullptr);
  if (next >= 0) made->next = Offset(next);
  return made;
}

SegmentSet three_segments() {
  SegmentSet set;
  for (int64_t base : {10, 20, 30}) set.add(segment(base, base + 10));
  return set;
}

TEST(SegmentSet, OffsetBelongsToTheLastSegmentThatBeginsAtOrBelowIt) {
  const SegmentSet set = three_segments();
  EXPECT_EQ(set.at(Offset(10))->base, Offset(10));
  EXPECT_EQ(set.at(Offset(29))->base, Offset(20));
  EXPECT_EQ(set.at(Offset(1000))->base, Offset(30));
  EXPECT_EQ(set.at(Offset(3))->base, Offset(10)) << "below the first segment";
  EXPECT_EQ(set.after(*set.at(Offset(10)))->base, Offset(20));
  EXPECT_EQ(set.after(*set.active()), nullptr);
  EXPECT_EQ(SegmentSet().at(Offset(0)), nullptr);
}

TEST(SegmentSet, CutReplacesOneSegmentAndRemovesEverySegmentAbove) {
  SegmentSet set = three_segments();
  const uint64_t before = set.generation();
  auto kept = segment(20, 25);
  EXPECT_EQ(set.cut_to(kept), std::vector<Offset>{Offset(30)});
  EXPECT_EQ(set.active(), kept);
  EXPECT_EQ(set.count(), 2U);
  EXPECT_NE(set.generation(), before);
}

TEST(SegmentSet, GenerationRisesOnlyIfBytesWereRemovedOrReplaced) {
  SegmentSet set = three_segments();
  const uint64_t before = set.generation();
  set.add(segment(40));
  EXPECT_EQ(set.generation(), before);
  EXPECT_EQ(set.remove_first(), Offset(10));
  const uint64_t removed = set.generation();
  EXPECT_NE(removed, before);
  set.replace({set.at(Offset(20)), set.at(Offset(30))}, segment(20, 40));
  EXPECT_NE(set.generation(), removed);
  EXPECT_EQ(set.count(), 2U);
}

TEST(SegmentSet, OnlyTheLargeTransactionIndexesLoadedLastStayInMemory) {
  SegmentSet set;
  for (int64_t base = 0; base < 100; base += 10) set.add(segment(base, base + 10));
  auto loaded = [&] {
    int count = 0;
    for (const auto& [base, each] : set.all()) count += each->txns.has_value();
    return count;
  };
  for (const auto& [base, each] : set.all()) {
    each->txns.emplace();
    set.keep_transactions_of(each);
  }
  EXPECT_EQ(loaded(), 10) << "without entries they take no memory";
  for (const auto& [base, each] : set.all()) {
    for (int i = 0; i < 100; ++i) each->txns->append({{7, base, base}, base});
    set.keep_transactions_of(each);
  }
  EXPECT_EQ(loaded(), 3) << "the active segment's, and two";
  EXPECT_TRUE(set.active()->txns);
  EXPECT_FALSE(set.first()->txns);
}

}  // namespace
}  // namespace farshore
