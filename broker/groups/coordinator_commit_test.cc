#include "broker/groups/testing/coordinator_fixture.h"

namespace farshore::broker {
namespace {

// --- commits ---

TEST_F(CoordinatorTest, CommitIsAcknowledgedOnlyWhenCommittedAndIsSeenOnlyThen) {
  start_ready();
  disk_.hold_commits = true;
  auto waiting = begin(groups().commit(commit_request("g", 5)));
  world_->run_for(milliseconds(500));
  EXPECT_FALSE(waiting->has_value());
  EXPECT_EQ(committed("g"), -1);
  disk_.hold_commits = false;
  world_->run_for(milliseconds(50));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(waiting->value(), Code::kNone);
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, UndecidedCommitIsNotAcknowledgedAndFollowsTheLogLater) {
  start_ready();
  disk_.hold_commits = true;
  EXPECT_EQ(commit("g", 5), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(committed("g"), -1);
  disk_.hold_commits = false;
  world_->run_for(seconds(2));
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, CommitsThatArriveTogetherShareABatch) {
  start_ready();
  std::vector<std::shared_ptr<std::optional<Code>>> commits;
  for (int i = 0; i < 100; ++i) commits.push_back(begin(groups().commit(commit_request("g", i))));
  world_->run_for(seconds(1));
  for (auto& each : commits) EXPECT_EQ(each->value_or(Code::kUnknownServerError), Code::kNone);
  EXPECT_LE(disk_.appends, 30u);
}

TEST_F(CoordinatorTest, FullDiskIsRetriableAndChangesNothing) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  disk_.append_error = Error(ErrorCode::kNoSpace, "full");
  EXPECT_EQ(commit("g", 6), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(committed("g"), 5);
  disk_.append_error.reset();
  EXPECT_EQ(commit("g", 7), Code::kNone);
  EXPECT_EQ(committed("g"), 7);
}

TEST_F(CoordinatorTest, FailedLogEndsItsGroupsAndAnswersAllWaitingRequests) {
  start_ready();
  auto joined = stable_member("g");
  auto waiting = begin(groups().join("g", join_request(), nullptr));
  world_->run_for(milliseconds(10));
  disk_.append_error = Error(ErrorCode::kIo, "broken");
  EXPECT_EQ(commit("g", 1, joined.member_id, 1), Code::kNotCoordinator);
  world_->run_for(milliseconds(10));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(waiting->value().error, Code::kNotCoordinator);
  EXPECT_EQ(groups().fetch("g").error, Code::kNotCoordinator);
}

TEST_F(CoordinatorTest, CommitTooLargeForABatchIsRefused) {
  options_.batch_bytes_max = 1000;
  start_ready();
  auto request = commit_request("g", 1);
  request.offsets[0].second.metadata = std::string(2000, 'x');
  EXPECT_EQ(call(groups().commit(request)), Code::kInvalidCommitOffsetSize);
  EXPECT_EQ(commit("g", 2), Code::kNone);
}

TEST_F(CoordinatorTest, AssignmentTooLargeForABatchFailsTheRebalanceNotTheBroker) {
  options_.batch_bytes_max = 1000;
  start_ready();
  auto joined = call(groups().join("g", join_request(), nullptr));
  auto request = sync_request(joined);
  request.assignments[0].second = kafka::Bytes(2000);
  EXPECT_EQ(call(groups().sync("g", request, nullptr)).error, Code::kUnknownServerError);
  auto again = call(groups().join("g", join_request(joined.member_id), nullptr));
  EXPECT_EQ(again.generation, 2);
  EXPECT_EQ(call(groups().sync("g", sync_request(again), nullptr)).error, Code::kNone);
}

TEST_F(CoordinatorTest, CommitFromOutsideIntoAGroupWithMembersIsRefusedWholly) {
  start_ready();
  auto joined = stable_member("g");
  EXPECT_EQ(commit("g", 9), Code::kUnknownMemberId);
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(commit("g", 9, joined.member_id, 1), Code::kNone);
  EXPECT_EQ(committed("g"), 9);
  groups().leave("g", {identity(joined.member_id)});
  EXPECT_EQ(commit("g", 4), Code::kNone);
  EXPECT_EQ(committed("g"), 4);
}

// A commit from outside that was accepted is in force before the first member has its assignment: no consumer can start
// from an older position.
TEST_F(CoordinatorTest, CommitFromOutsideBeforeTheFirstJoinIsInForceBeforeTheAssignment) {
  options_.group.initial_rebalance_delay = Duration(0);
  start_ready();
  disk_.hold_commits = true;
  auto outside = begin(groups().commit(commit_request("g", 77)));
  world_->run_for(milliseconds(10));
  auto join = begin(groups().join("g", join_request(), nullptr));
  world_->run_until([&] { return join->has_value(); }, seconds(1));
  ASSERT_TRUE(join->has_value());
  auto sync = begin(groups().sync("g", sync_request(**join), nullptr));
  world_->run_for(milliseconds(100));
  EXPECT_FALSE(sync->has_value());
  disk_.hold_commits = false;
  world_->run_until([&] { return sync->has_value(); }, seconds(2));
  ASSERT_TRUE(sync->has_value());
  EXPECT_EQ(committed("g"), 77);
}

TEST_F(CoordinatorTest, CommitWithGenerationIntoAMissingGroupIsRefusedAsItsVersionSays) {
  start_ready();
  auto request = commit_request("g", 1, "m1", 1);
  EXPECT_EQ(call(groups().commit(request)), Code::kIllegalGeneration);
  request.if_group_missing = Code::kGroupIdNotFound;
  EXPECT_EQ(call(groups().commit(request)), Code::kGroupIdNotFound);
}

// --- deleting and expiring ---

TEST_F(CoordinatorTest, DeletedGroupIsGoneWithItsOffsetsAlsoAfterARestart) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  ASSERT_EQ(commit("h", 6), Code::kNone);
  EXPECT_EQ(call(groups().delete_group("g")), Code::kNone);
  EXPECT_EQ(call(groups().delete_group("g")), Code::kGroupIdNotFound);
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
  restart();
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
  EXPECT_EQ(committed("h"), 6);
}

TEST_F(CoordinatorTest, DeletionAlsoRemovesCommitsInFlight) {
  start_ready();
  std::vector<std::shared_ptr<std::optional<Code>>> commits;
  ASSERT_EQ(commit("g", 1), Code::kNone);
  for (int i = 0; i < 20; ++i) {
    auto request = commit_request("g", i);
    request.offsets[0].first.partition = i;
    commits.push_back(begin(groups().commit(request)));
  }
  world_->run_for(microseconds(200));
  EXPECT_EQ(call(groups().delete_group("g")), Code::kNone);
  for (auto& each : commits) EXPECT_EQ(each->value_or(Code::kUnknownServerError), Code::kNone);
  EXPECT_EQ(groups().fetch("g").offsets, nullptr);
  restart();
  EXPECT_EQ(groups().fetch("g").offsets, nullptr);
}

TEST_F(CoordinatorTest, GroupWithMembersIsNotDeleted) {
  start_ready();
  auto joined = stable_member("g");
  EXPECT_EQ(call(groups().delete_group("g")), Code::kNonEmptyGroup);
  EXPECT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kNone);
}

TEST_F(CoordinatorTest, DeletionThatCannotBeWrittenIsUndone) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  disk_.append_error = Error(ErrorCode::kNoSpace, "full");
  EXPECT_EQ(call(groups().delete_group("g")), Code::kCoordinatorNotAvailable);
  disk_.append_error.reset();
  EXPECT_EQ(committed("g"), 5);
  EXPECT_EQ(commit("g", 6), Code::kNone);
}

TEST_F(CoordinatorTest, OffsetsOfTopicsThatMembersReadAreNotDeleted) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  auto deleted = call(groups().delete_offsets("g", {partition_of("t", 0), partition_of("t", 1)}));
  EXPECT_EQ(deleted.error, Code::kNone);
  EXPECT_EQ(deleted.partitions.at(partition_of("t", 1)), Code::kNone);
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(call(groups().delete_offsets("nobody", {partition_of("t", 0)})).error, Code::kGroupIdNotFound);
  auto joined = stable_member("g");  // its metadata cannot be read: it may read everything
  ASSERT_EQ(commit("g", 6, joined.member_id, joined.generation), Code::kNone);
  deleted = call(groups().delete_offsets("g", {partition_of("t", 0)}));
  EXPECT_EQ(deleted.partitions.at(partition_of("t", 0)), Code::kGroupSubscribedToTopic);
  EXPECT_EQ(committed("g"), 6);
}

TEST_F(CoordinatorTest, OffsetsAreKeptForTheRetentionAfterTheGroupBecameEmptyThenTheGroupGoes) {
  options_.offsets_retention = minutes(60);
  options_.retention_check = minutes(1);
  start_ready();
  auto joined = stable_member("g");
  ASSERT_EQ(commit("g", 5, joined.member_id, 1), Code::kNone);
  for (int i = 0; i < 90 * 12; ++i) {  // 90 minutes of life
    world_->run_for(seconds(5));
    ASSERT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kNone);
  }
  EXPECT_EQ(committed("g"), 5);
  groups().leave("g", {identity(joined.member_id)});
  world_->run_for(minutes(59));
  EXPECT_EQ(committed("g"), 5);
  world_->run_for(minutes(3));
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
  restart();
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
}

TEST_F(CoordinatorTest, SimpleGroupsOffsetsExpireAfterTheirLastCommit) {
  options_.offsets_retention = minutes(60);
  options_.retention_check = minutes(1);
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  world_->run_for(minutes(40));
  ASSERT_EQ(commit("g", 6), Code::kNone);
  world_->run_for(minutes(40));
  EXPECT_EQ(committed("g"), 6);
  world_->run_for(minutes(25));
  EXPECT_EQ(committed("g"), -1);
}

TEST_F(CoordinatorTest, GroupWhoseOnlyMemberNeverJoinedIsForgotten) {
  options_.retention_check = minutes(1);
  start_ready();
  auto request = join_request();
  request.needs_known_member_id = true;
  call(groups().join("g", request, nullptr));
  EXPECT_EQ(groups().list().groups.size(), 1u);
  world_->run_for(minutes(3));
  EXPECT_TRUE(groups().list().groups.empty());
}

TEST_F(CoordinatorTest, DeletedTopicTakesItsOffsetsWithIt) {
  start_ready();
  auto request = commit_request("g", 5);
  request.offsets.emplace_back(partition_of("kept", 0), request.offsets[0].second);
  ASSERT_EQ(call(groups().commit(request)), Code::kNone);
  groups().topic_deleted("t");
  world_->run_for(seconds(1));
  EXPECT_EQ(committed("g", "t"), -1);
  EXPECT_EQ(committed("g", "kept"), 5);
  restart();
  EXPECT_EQ(committed("g", "t"), -1);
}

TEST_F(CoordinatorTest, TopicDeletedWhileLoadingIsForgottenAfterwards) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  kill();
  start();
  groups().topic_deleted("t");
  loaded();
  world_->run_for(seconds(1));
  EXPECT_EQ(committed("g"), -1);
}

}  // namespace
}  // namespace farshore::broker
