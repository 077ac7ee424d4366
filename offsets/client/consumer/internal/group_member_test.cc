// GroupMember against librdkafka's mock cluster: real threads and sockets on loopback. The mock waits 3 s for more
// members of a new group.
#include "offsets/client/consumer/internal/group_member.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka_mock.h>

namespace farshore::client {
namespace {

using Millis = std::chrono::milliseconds;
const PartitionKey kKey{"t", 0};
constexpr int kMany = 30;  // partitions of topic "many"

class GroupMemberTest : public testing::Test {
 public:
  GroupMemberTest() {
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0);
    mock_ = rd_kafka_mock_cluster_new(handle_, 1);
    EXPECT_EQ(rd_kafka_mock_topic_create(mock_, "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    EXPECT_EQ(rd_kafka_mock_topic_create(mock_, "many", kMany, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  ~GroupMemberTest() override {
    rd_kafka_mock_cluster_destroy(mock_);
    rd_kafka_destroy(handle_);
  }

  void produce(int count) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock_), nullptr, 0);
    rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    char value = 'v';
    for (int i = 0; i < count; ++i)
      rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(&value, 1),
                        RD_KAFKA_V_END);
    EXPECT_EQ(rd_kafka_flush(producer, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(producer);
  }

  GroupMember::Options options() const {
    GroupMember::Options out;
    out.where = "target";
    out.bootstrap = rd_kafka_mock_cluster_bootstraps(mock_);
    out.group = "g";
    out.topics = {"t"};
    return out;
  }
  static std::unique_ptr<GroupMember> open(GroupMember::Options options) {
    Problem problem;
    auto member = GroupMember::open(std::move(options), problem);
    EXPECT_NE(member, nullptr) << problem.text;
    return member;
  }
  // Offsets of the first `count` records, or of those that come in time.
  static std::vector<int64_t> poll(GroupMember& member, size_t count) {
    std::vector<int64_t> out;
    for (int i = 0; i < 300 && out.size() < count; ++i) {
      auto message = member.poll(Millis(100));
      if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) out.push_back(message->offset);
    }
    return out;
  }
  // Commits as a process that moves here and had committed `offset`; returns what it still has to carry.
  bool carry(int64_t offset) {
    auto from = options();
    from.moved = true;
    from.carried = {{kKey, offset}};
    auto member = open(std::move(from));
    auto problem = member->commit_carried(Millis(10000));
    EXPECT_FALSE(problem) << problem.text;
    return member->carries();
  }
  // What the group has committed: a new member without records tells.
  int64_t committed() {
    auto member = open(options());
    EXPECT_FALSE(member->subscribe());
    for (int i = 0; i < 300 && !member->positions().contains(kKey); ++i) (void)member->poll(Millis(100));
    auto found = member->committed().find(kKey);
    const int64_t out = found == member->committed().end() ? -1 : found->second;
    member->close(true);
    return out;
  }

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* mock_ = nullptr;
};

TEST_F(GroupMemberTest, CommitsThatAMoveCarriesRaiseAndNeverLower) {
  EXPECT_FALSE(carry(800));
  EXPECT_FALSE(carry(300));
  EXPECT_EQ(committed(), 800);
}

TEST_F(GroupMemberTest, MemberClosesWithRecordsUnread) {
  produce(1000);
  auto member = open(options());
  EXPECT_FALSE(member->subscribe());
  EXPECT_EQ(poll(*member, 10).size(), 10u);
  member->close(true);
  EXPECT_EQ(member->positions().at(kKey), 10);
}

TEST_F(GroupMemberTest, StartAtTheEndIsAKnownPositionBeforeAnyRecordCame) {
  produce(50);
  auto from = options();
  from.properties["auto.offset.reset"] = "latest";
  auto member = open(std::move(from));
  EXPECT_FALSE(member->subscribe());
  for (int i = 0; i < 300 && !member->positions().contains(kKey); ++i) (void)member->poll(Millis(100));
  EXPECT_EQ(member->positions().at(kKey), 50);
  EXPECT_EQ(member->committed().at(kKey), 50);
}

TEST_F(GroupMemberTest, MovedMemberStartsWhereNothingIsSkippedAndCarriesOnlyCommits) {
  produce(100);
  auto from = options();
  from.moved = true;
  from.properties["auto.offset.reset"] = "latest";  // holds at the first start only
  from.delivered = {{kKey, 30}};
  from.kept = {kKey};
  auto member = open(from);
  Problem problem;
  auto early = member->commit(problem);  // nothing is assigned yet: stored later
  EXPECT_EQ(problem.kind, Problem::Kind::kUnavailable);
  EXPECT_FALSE(early.wait(Millis(1000)));
  EXPECT_TRUE(member->carries());
  member->close(false);

  member = open(from);
  EXPECT_FALSE(member->subscribe());
  EXPECT_EQ(poll(*member, 2), (std::vector<int64_t>{30, 31}));
  EXPECT_TRUE(member->committed().empty());
  auto sent = member->commit(problem);
  EXPECT_FALSE(sent.wait(Millis(10000)));
  EXPECT_EQ(member->committed().at(kKey), 32);
  member->close(true);
}

TEST_F(GroupMemberTest, StartAsksForTheFirstOffsetsOfAllPartitionsAtOnce) {
  // The cluster answers two of these questions, and refuses every other one.
  std::vector<rd_kafka_resp_err_t> answers(200, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  answers[0] = answers[1] = RD_KAFKA_RESP_ERR_NO_ERROR;
  constexpr int16_t kListOffsets = 2;
  rd_kafka_mock_push_request_errors_array(mock_, kListOffsets, answers.size(), answers.data());
  auto from = options();
  from.topics = {"many"};
  from.properties["auto.offset.reset"] = "earliest";
  auto member = open(std::move(from));
  EXPECT_FALSE(member->subscribe());
  for (int i = 0; i < 300 && member->positions().empty(); ++i) (void)member->poll(Millis(100));
  EXPECT_EQ(member->positions().size(), size_t{kMany});
  auto complaint = member->complaint();
  EXPECT_FALSE(complaint) << complaint->text;
}

TEST_F(GroupMemberTest, PartitionWithoutALeaderHoldsUpNoOther) {
  EXPECT_EQ(rd_kafka_mock_partition_set_leader(mock_, "many", 7, -1), RD_KAFKA_RESP_ERR_NO_ERROR);
  auto from = options();
  from.topics = {"many"};
  from.properties["auto.offset.reset"] = "earliest";
  auto member = open(std::move(from));
  EXPECT_FALSE(member->subscribe());
  for (int i = 0; i < 300 && member->positions().size() + 1 < size_t{kMany}; ++i) (void)member->poll(Millis(100));
  EXPECT_EQ(member->positions().size() + 1, size_t{kMany});
  EXPECT_FALSE(member->positions().contains({"many", 7}));
  EXPECT_EQ(rd_kafka_mock_partition_set_leader(mock_, "many", 7, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  for (int i = 0; i < 300 && member->positions().size() < size_t{kMany}; ++i) (void)member->poll(Millis(100));
  EXPECT_TRUE(member->positions().contains({"many", 7}));
}

}  // namespace
}  // namespace farshore::client
