#include "broker/log/internal/txn_index.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(TxnIndex, TransactionsThatOverlapTheRangeAreCollected) {
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

}  // namespace
}  // namespace farshore
