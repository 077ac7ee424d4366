// Lost records are named, and stay named: whatever fails, and whichever gateway is asked.
#include "linker/link/testing/link_fixture.h"
#include "proto/link/keys.h"
#include "proto/link/loss_report.h"

namespace farshore::linker {
namespace {

// The mirror holds records of an epoch that the source, which is empty, never had.
class LossesTest : public LinkFixture {
 public:
  LossesTest() {
    west_.add_topic("orders", 1);
    stored_.spec.on_divergence = OnDivergence::kTruncateAll;
    sink_.changes = true;
    sink_.has.end = sink_.has.high_watermark = SourceOffset(5);
    sink_.has.last_epoch = LogEpoch(9);
  }
  bool shows_one_loss() {
    const auto found = topic("orders");
    return found && found->losses_size() == 1;
  }
  void expect_loss(const std::string& kind, int64_t from, int64_t to) {
    const auto found = topic("orders");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->losses_size(), 1);
    const auto& loss = found->losses(0);
    EXPECT_EQ(loss.kind(), kind);
    EXPECT_EQ(loss.partition(), 0);
    EXPECT_EQ(loss.from_offset(), from);
    EXPECT_EQ(loss.to_offset(), to);
    EXPECT_GT(loss.wall_ms(), 0);
    EXPECT_EQ(found->losses_total(), 1);
    EXPECT_EQ(found->lost_offsets_total(), to - from);
    EXPECT_EQ(link().view().describe().lost_offsets_total(), to - from);
    const auto reading = link().view().read(1);
    ASSERT_EQ(reading.losses.size(), 1U);
    EXPECT_EQ(reading.losses.begin()->second, (LossReport::Total{1, to - from}));
  }
  // As stored at the target; an empty one if there is none.
  LossReport stored_report() {
    auto found = store_.others.find(loss_report_key("a", "orders"));
    if (found == store_.others.end()) return {};
    return decode_loss_report(found->second.value).value();
  }
};

TEST_F(LossesTest, RecordsThatWereCutAreShownByTheNextGateway) {
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("cut", 0, 5);
  restart();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("cut", 0, 5);
}

TEST_F(LossesTest, CutWhoseAnswerWasLostIsNamed) {
  sink_.lose_answers = 1;
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("cut", 0, 5);
}

TEST_F(LossesTest, CutOfAGatewayThatDiedIsNamedByTheNextOne) {
  LossReport begun;
  begun.link = stored_.id;
  begun.topic = TargetTopicId{{7}};
  begun.begun[0] = {LossKind::kCut, SourceOffset(0), SourceOffset(5)};
  const std::string key = loss_report_key("a", "orders");
  store_.others[key] = entry(key, encode(begun), 1);
  sink_.has = {};  // it has cut, and said nothing
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("cut", 0, 5);
  EXPECT_TRUE(stored_report().begun.empty());
}

TEST_F(LossesTest, NothingIsCutBeforeItIsWrittenDown) {
  store_.refuses = true;
  link().start();
  ASSERT_TRUE(becomes([this] { return store_.refused > 2; }));
  EXPECT_EQ(sink_.changed, 0);
  EXPECT_EQ(sink_.has.end, SourceOffset(5));
  store_.refuses = false;
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  EXPECT_EQ(stored_report().rows.size(), 1U);
}

TEST_F(LossesTest, RecordsThatTheSourceDeletedBeforeTheyWereMirroredAreShownByTheNextGateway) {
  sink_.has = {};
  auto& partition = kafka_.topics["orders"].partitions[0];
  partition.log_start = partition.end = 20;
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("not-mirrored", 0, 20);
  restart();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("not-mirrored", 0, 20);
}

TEST_F(LossesTest, MirrorIsNotCutToNothingUnlessTheLinkSaysSo) {
  stored_.spec.on_divergence = OnDivergence::kTruncate;
  link().start();
  ASSERT_TRUE(becomes([this] { return topic_state("orders") == "FAILED" && stored_report().rows.size() == 1; }));
  expect_loss("kept", 0, 5);
  EXPECT_EQ(sink_.changed, 0);
  EXPECT_NE(topic("orders")->state_reason().find("on.divergence=truncate-all"), std::string::npos);
}

TEST_F(LossesTest, RecordsThatAreKeptAreCountedOnceHoweverOftenTheyAreFound) {
  stored_.spec.on_divergence = OnDivergence::kStop;
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss() && stored_report().rows.size() == 1; }));
  for (int restarts = 0; restarts < 3; ++restarts) {
    restart();
    ASSERT_TRUE(becomes([this] { return topic_state("orders") == "FAILED"; }));
  }
  expect_loss("kept", 0, 5);
}

TEST_F(LossesTest, LossesOfAnotherTopicOfThatNameAreNotShown) {
  LossReport other;
  other.link = stored_.id;
  other.topic = TargetTopicId{{8}};  // the mirror before it was deleted at the target and made anew
  other.add(LossKind::kCut, 0, SourceOffset(1), SourceOffset(2), 1);
  const std::string key = loss_report_key("a", "orders");
  store_.others[key] = entry(key, encode(other), 1);
  link().start();
  ASSERT_TRUE(becomes([this] { return shows_one_loss(); }));
  expect_loss("cut", 0, 5);
}

}  // namespace
}  // namespace farshore::linker
