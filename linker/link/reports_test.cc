// What is stored at the target about the ends and the losses of mirror topics: when it is stored, and when it goes.
#include "linker/link/tasks/report_cleanup.h"
#include "linker/link/testing/link_fixture.h"
#include "proto/link/end_report.h"
#include "proto/link/keys.h"
#include "proto/link/loss_report.h"

namespace farshore::linker {
namespace {

class ReportsTest : public LinkFixture {
 public:
  static constexpr Duration kLooksLast = ReportCleanup::kPause * ReportCleanup::kLooks;

  ReportsTest() { link(); }
  void stored_reports_of(const std::string& name) {
    const std::string report = end_report_key("a", name), losses = loss_report_key("a", name);
    store_.others[report] = entry(report, encode(EndReport()), 1);
    store_.others[losses] = entry(losses, encode(LossReport()), 1);
  }
  size_t reports_of(const std::string& name) const {
    return store_.others.count(end_report_key("a", name)) + store_.others.count(loss_report_key("a", name));
  }
  static Link::Edit pause() {
    return [](StoredLink& link) {
      link.state = LinkState::kPaused;
      return ok();
    };
  }
  static Link::Edit look_rarely() {
    return [](StoredLink& link) {
      link.spec.topic_sync_interval_ms = 24 * 3600 * 1000;
      return ok();
    };
  }
  Task<Result<PromotionRecord>> end_mirror() {
    PromotionRecord record;
    record.kind = PromotionKind::kFailover;
    record.partitions.emplace_back();
    co_return record;
  }
  Task<void> fail_over_while_nothing_can_be_stored() {
    target_->on_end = [this](EndOfTopic, replicator::Replicator&) { return end_mirror(); };
    store_.refuses = true;
    auto quiet = [](api::VerbProgress) {};
    auto ended = co_await link_->failover("orders", false, quiet, soon());
    CO_ASSERT_OK(ended);
    EXPECT_EQ(reports_of("orders"), 0U);
  }
};

ASYNC_TEST_F(ReportsTest, ReportsOfTopicsThatTheTargetDoesNotHaveAreDeleted) {
  stored_reports_of("gone");
  stored_reports_of("there");
  west_.add_topic("there", 1);
  link_->start();
  co_await env_.sleep(kLooksLast + seconds(30));
  EXPECT_EQ(reports_of("gone"), 0U);
  EXPECT_EQ(reports_of("there"), 2U);
}

ASYNC_TEST_F(ReportsTest, TargetThatKnowsItsTopicsLateLosesNoReport) {
  stored_reports_of("there");
  link_->start();
  co_await env_.sleep(ReportCleanup::kPause / 2);
  CO_ASSERT(topic_state("orders") == "ACTIVE");
  EXPECT_EQ(reports_of("there"), 2U) << "a broker that has just started knows no topics yet";
  west_.add_topic("there", 1);
  co_await env_.sleep(kLooksLast + seconds(30));
  EXPECT_EQ(reports_of("there"), 2U);
}

ASYNC_TEST_F(ReportsTest, DeletionWhoseAnswerIsLostIsNoConflict) {
  stored_reports_of("gone");
  link_->start();
  co_await env_.sleep(ReportCleanup::kPause / 2);
  store_.lose_answers = 1;
  co_await env_.sleep(kLooksLast + seconds(30));
  EXPECT_EQ(reports_of("gone"), 0U);
  EXPECT_EQ(link_->view().describe().state(), "ACTIVE");
}

// A link is not resumed after its topics were failed over.
ASYNC_TEST_F(ReportsTest, ReportOfAFailoverIsStoredLaterAlsoIfTheLinkIsPaused) {
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  auto paused = co_await link_->update(pause(), soon());
  CO_ASSERT_OK(paused);
  co_await fail_over_while_nothing_can_be_stored();
  store_.refuses = false;
  co_await env_.sleep(seconds(60));
  EXPECT_EQ(store_.others.count(end_report_key("a", "orders")), 1U);
}

ASYNC_TEST_F(ReportsTest, ReportThatIsNotStoredIsTriedAgainSoonHoweverRarelyTheLinkLooksForTopics) {
  auto updated = co_await link_->update(look_rarely(), soon());
  CO_ASSERT_OK(updated);
  link_->start();
  for (int i = 0; i < 1000 && topic_state("orders") != "ACTIVE"; ++i) co_await env_.sleep(milliseconds(10));
  co_await fail_over_while_nothing_can_be_stored();
  store_.refuses = false;
  co_await env_.sleep(seconds(60));
  EXPECT_EQ(store_.others.count(end_report_key("a", "orders")), 1U);
}

}  // namespace
}  // namespace farshore::linker
