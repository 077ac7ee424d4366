#include "broker/groups/coordinator.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/sim/world.h"
#include "broker/groups/fake_topics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using sim::SimEnv;
using sim::SimOptions;
using sim::SimWorld;

kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

TopicPartition partition_of(std::string topic, int32_t partition) {
  TopicPartition out;
  out.topic = std::move(topic);
  out.partition = partition;
  return out;
}

// One broker process with a coordinator, on a disk that survives it.
struct Process {
  Process(SimEnv& e, FakeDisk& disk, GroupOptions options)
      : env(e), topics(env, arena, disk), coordinator(env, arena, topics, options) {}
  SimEnv& env;
  SlabArena arena;
  FakeTopics topics;
  GroupCoordinator coordinator;
};

class CoordinatorTest : public ::testing::Test {
 protected:
  explicit CoordinatorTest(uint64_t seed = 7) {
    SimOptions options;
    options.seed = seed;
    world_.emplace(options);
    options_.partitions = 5;
    RecordProperty("seed", std::to_string(seed));
  }
  ~CoordinatorTest() override {
    if (process_) kill();
  }

  void start() {
    env_ = &world_->start_process("host", "broker");
    process_ = std::make_shared<Process>(*env_, disk_, options_);
    env_->hold(process_);
    process_->coordinator.start();
  }
  void kill() {
    process_.reset();
    world_->kill(*env_);
  }
  void restart() {
    kill();
    start();
    EXPECT_EQ(find("g"), Code::kNone);
    loaded();
  }
  void loaded() {
    ASSERT_EQ(world_->run_until([&] { return groups().list().error == Code::kNone; }, seconds(30)), sim::RunEnd::kDone);
  }
  GroupCoordinator& groups() { return process_->coordinator; }

  // Runs one call to its end.
  template <class T>
  T call(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    world_->spawn(*env_, keep(std::move(task), result));
    world_->run_until([&] { return result->has_value(); }, seconds(120));
    EXPECT_TRUE(result->has_value()) << "a call did not end";
    return result->value_or(T());
  }
  template <class T>
  static Task<void> keep(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await std::move(task));
  }
  template <class T>
  std::shared_ptr<std::optional<T>> begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    world_->spawn(*env_, keep(std::move(task), result));
    return result;
  }

  Code find(std::string group) { return call(groups().find(std::move(group))); }
  // A running coordinator whose topic exists and is loaded.
  void start_ready() {
    start();
    ASSERT_EQ(find("g"), Code::kNone);
    loaded();
  }

  static JoinRequest join_request(std::string member_id = "") {
    JoinRequest out;
    out.member_id = std::move(member_id);
    out.client_id = "client";
    out.client_host = "/10.0.0.1";
    out.session_timeout_ms = 10000;
    out.rebalance_timeout_ms = 30000;
    out.protocol_type = "consumer";
    GroupProtocol protocol;
    protocol.name = "range";
    protocol.metadata = bytes("topics");
    out.protocols.push_back(std::move(protocol));
    return out;
  }
  static SyncRequest sync_request(const JoinAnswer& joined) {
    SyncRequest out;
    out.member.member_id = joined.member_id;
    out.generation = joined.generation;
    for (const auto& member : joined.members)
      out.assignments.emplace_back(member.member_id, bytes("of-" + member.member_id));
    return out;
  }
  static MemberIdentity identity(std::string member_id) {
    MemberIdentity out;
    out.member_id = std::move(member_id);
    return out;
  }
  static GroupShard::Commit commit_request(std::string group, int64_t offset, std::string member_id = "",
                                           int32_t generation = -1) {
    GroupShard::Commit out;
    out.group = std::move(group);
    out.member.member_id = std::move(member_id);
    out.generation = generation;
    CommittedOffset value;
    value.offset = Offset(offset);
    value.leader_epoch = 3;
    value.metadata = "note";
    out.offsets.emplace_back(partition_of("t", 0), std::move(value));
    return out;
  }
  Code commit(std::string group, int64_t offset, std::string member_id = "", int32_t generation = -1) {
    auto request = commit_request(std::move(group), offset, std::move(member_id), generation);
    const int64_t now_ms = env_->wall_now().milliseconds_since_epoch;
    for (auto& each : request.offsets) each.second.commit_ms = now_ms;
    return call(groups().commit(std::move(request)));
  }
  // -1: none.
  int64_t committed(const std::string& group, const std::string& topic = "t") {
    auto fetched = groups().fetch(group);
    EXPECT_EQ(fetched.error, Code::kNone);
    const CommittedOffset* found = fetched.offsets ? fetched.offsets->find(topic, 0) : nullptr;
    return found ? found->offset.value() : -1;
  }
  // One member, Stable in generation 1.
  JoinAnswer stable_member(const std::string& group) {
    auto joined = call(groups().join(group, join_request(), nullptr));
    EXPECT_EQ(joined.error, Code::kNone);
    EXPECT_EQ(call(groups().sync(group, sync_request(joined), nullptr)).error, Code::kNone);
    return joined;
  }

  GroupOptions options_;
  FakeDisk disk_;
  std::optional<SimWorld> world_;
  SimEnv* env_ = nullptr;
  std::shared_ptr<Process> process_;
};

// --- finding and loading ---

TEST_F(CoordinatorTest, TopicIsMadeByTheFirstFindCoordinator) {
  start();
  EXPECT_EQ(groups().heartbeat("g", identity("m"), 1), Code::kNotCoordinator);
  EXPECT_EQ(groups().list().error, Code::kNone);
  EXPECT_TRUE(groups().list().groups.empty());
  EXPECT_EQ(disk_.partition_count, 0);
  EXPECT_EQ(find("g"), Code::kNone);
  EXPECT_EQ(disk_.partition_count, 5);
  loaded();
  EXPECT_EQ(disk_.appends, 0u);  // nothing is written for nothing
}

TEST_F(CoordinatorTest, TopicThatCannotBeMadeIsNotAvailable) {
  start();
  disk_.open_error = Error(ErrorCode::kNoSpace, "full");
  EXPECT_EQ(find("g"), Code::kCoordinatorNotAvailable);
  disk_.open_error.reset();
  EXPECT_EQ(find("g"), Code::kNone);
}

TEST_F(CoordinatorTest, RequestsWhileLoadingSaySo) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  kill();
  start();
  EXPECT_EQ(groups().fetch("g").error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().list().error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().describe("g").error, Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups().heartbeat("g", identity("m"), 1), Code::kNone);  // it may be a member
  EXPECT_EQ(commit("g", 6), Code::kCoordinatorLoadInProgress);
  loaded();
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, PartitionThatCannotBeOpenedIsNotCoordinatedHereAndTriedAgainLater) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  kill();
  disk_.open_error = Error(ErrorCode::kIo, "offline");
  start();
  world_->run_for(milliseconds(100));
  EXPECT_EQ(groups().fetch("g").error, Code::kNotCoordinator);
  disk_.open_error.reset();
  world_->run_for(seconds(2));
  groups().fetch("g");  // starts it
  world_->run_for(seconds(1));
  EXPECT_EQ(committed("g"), 5);
}

TEST_F(CoordinatorTest, DamagedRecordLeavesItsPartitionUnservedAndTheOthersAlone) {
  start_ready();
  ASSERT_EQ(commit("g", 5), Code::kNone);
  std::string other;
  for (int i = 0; other.empty() || group_partition(other, 5) == group_partition("g", 5); ++i)
    other = "other" + std::to_string(i);
  ASSERT_EQ(commit(other, 6), Code::kNone);
  kill();
  BatchBuilder builder;
  builder.base_offset(1).add(0, "\0\1\0", "nonsense");
  disk_.partitions[group_partition("g", 5)].batches.push_back(builder.build());
  disk_.partitions[group_partition("g", 5)].end = Offset(2);
  start();
  world_->run_for(milliseconds(200));
  EXPECT_EQ(groups().fetch("g").error, Code::kNotCoordinator);
  EXPECT_EQ(committed(other), 6);
}

TEST_F(CoordinatorTest, EmptyGroupIdIsInvalidForMembersOnly) {
  start_ready();
  EXPECT_EQ(call(groups().join("", join_request(), nullptr)).error, Code::kInvalidGroupId);
  EXPECT_EQ(call(groups().sync("", SyncRequest(), nullptr)).error, Code::kInvalidGroupId);
  EXPECT_EQ(groups().heartbeat("", identity("m"), 1), Code::kInvalidGroupId);
  EXPECT_EQ(groups().leave("", {}).error, Code::kInvalidGroupId);
  EXPECT_EQ(call(groups().delete_group("")), Code::kInvalidGroupId);
  EXPECT_EQ(groups().describe("").error, Code::kInvalidGroupId);
  EXPECT_EQ(commit("", 1), Code::kNone);
  EXPECT_EQ(committed(""), 1);
}

TEST_F(CoordinatorTest, SessionTimeoutOutsideTheBoundsIsRefused) {
  start_ready();
  for (int32_t timeout : {5999, 1800001, -1}) {
    auto request = join_request();
    request.session_timeout_ms = timeout;
    EXPECT_EQ(call(groups().join("g", request, nullptr)).error, Code::kInvalidSessionTimeout) << timeout;
  }
}

// --- members ---

TEST_F(CoordinatorTest, ThreeMembersFormAGenerationAndGetTheirAssignments) {
  start_ready();
  std::vector<std::shared_ptr<std::optional<JoinAnswer>>> joins;
  for (int i = 0; i < 3; ++i) joins.push_back(begin(groups().join("g", join_request(), nullptr)));
  world_->run_until([&] { return joins[0]->has_value() && joins[1]->has_value() && joins[2]->has_value(); },
                    seconds(10));
  std::vector<std::shared_ptr<std::optional<SyncAnswer>>> syncs;
  for (auto& joined : joins) {
    ASSERT_EQ(joined->value().error, Code::kNone);
    EXPECT_EQ(joined->value().generation, 1);
    syncs.push_back(begin(groups().sync("g", sync_request(**joined), nullptr)));
  }
  world_->run_for(seconds(1));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(syncs[i]->has_value());
    EXPECT_EQ(syncs[i]->value().error, Code::kNone);
    EXPECT_EQ(syncs[i]->value().assignment, bytes("of-" + joins[i]->value().member_id));
    EXPECT_EQ(groups().heartbeat("g", identity(joins[i]->value().member_id), 1), Code::kNone);
  }
  EXPECT_EQ(groups().describe("g").group.state, "Stable");
}

TEST_F(CoordinatorTest, MemberWithoutHeartbeatsIsRemovedByItsTimer) {
  start_ready();
  auto joined = stable_member("g");
  world_->run_for(milliseconds(9500));
  EXPECT_EQ(groups().describe("g").group.state, "Stable");
  world_->run_for(seconds(1));
  EXPECT_EQ(groups().describe("g").group.state, "Empty");
  EXPECT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kUnknownMemberId);
}

TEST_F(CoordinatorTest, JoinWithAMemberIdIntoAGroupThatDoesNotExistIsRefused) {
  start_ready();
  EXPECT_EQ(call(groups().join("g", join_request("m1"), nullptr)).error, Code::kUnknownMemberId);
  EXPECT_EQ(groups().describe("g").error, Code::kGroupIdNotFound);
}

TEST_F(CoordinatorTest, MemberIdsBeginWithTheClientIdAndAreUnique) {
  start_ready();
  auto request = join_request();
  request.needs_known_member_id = true;
  auto a = call(groups().join("g", request, nullptr)), b = call(groups().join("g", request, nullptr));
  EXPECT_EQ(a.error, Code::kMemberIdRequired);
  EXPECT_TRUE(a.member_id.starts_with("client-"));
  EXPECT_EQ(a.member_id.size(), std::string("client-").size() + 36);
  EXPECT_NE(a.member_id, b.member_id);
}

TEST_F(CoordinatorTest, WhoseConnectionIsGoneStopsWaiting) {
  start_ready();
  stable_member("g");
  Notifier gone(*env_);
  auto waiting = begin(groups().join("g", join_request(), &gone));  // the first member does not join again
  world_->run_for(seconds(1));
  EXPECT_FALSE(waiting->has_value());
  gone.close();
  world_->run_for(milliseconds(10));
  EXPECT_TRUE(waiting->has_value());
  world_->run_for(seconds(60));  // its answer, later, reaches nobody
}

TEST_F(CoordinatorTest, StopAnswersThoseWhoWait) {
  start_ready();
  stable_member("g");
  auto waiting = begin(groups().join("g", join_request(), nullptr));
  world_->run_for(milliseconds(100));
  EXPECT_FALSE(waiting->has_value());
  ASSERT_TRUE(world_->run(*env_, groups().stop(), seconds(5)));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(waiting->value().error, Code::kNotCoordinator);
  EXPECT_EQ(groups().fetch("g").error, Code::kCoordinatorNotAvailable);
}

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

TEST_F(CoordinatorTest, FailedLogEndsItsGroupsAndAnswersEverybody) {
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

TEST_F(CoordinatorTest, DeletionCoversCommitsThatWereUnderWay) {
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

TEST_F(CoordinatorTest, GroupThatNeverCameToLifeIsForgotten) {
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

// --- restarts ---

TEST_F(CoordinatorTest, MembersOffsetsAndAssignmentsSurviveAKill) {
  start_ready();
  auto joined = stable_member("g");
  ASSERT_EQ(commit("g", 5, joined.member_id, 1), Code::kNone);
  restart();
  auto described = groups().describe("g");
  EXPECT_EQ(described.group.state, "Stable");
  ASSERT_EQ(described.group.members.size(), 1u);
  EXPECT_EQ(described.group.members[0].client_host, "/10.0.0.1");
  EXPECT_EQ(groups().heartbeat("g", identity(joined.member_id), 1), Code::kNone);
  auto request = sync_request(joined);
  request.assignments.clear();
  EXPECT_EQ(call(groups().sync("g", request, nullptr)).assignment, bytes("of-" + joined.member_id));
  EXPECT_EQ(commit("g", 6, joined.member_id, 1), Code::kNone);
  auto fetched = groups().fetch("g");
  ASSERT_TRUE(fetched.offsets);
  EXPECT_EQ(fetched.offsets->find("t", 0)->leader_epoch, 3);
  EXPECT_EQ(fetched.offsets->find("t", 0)->metadata, "note");
}

TEST_F(CoordinatorTest, MemberThatDiesWithTheBrokerIsRemovedAfterItsSession) {
  start_ready();
  stable_member("g");
  restart();
  world_->run_for(seconds(11));
  EXPECT_EQ(groups().describe("g").group.state, "Empty");
}

// The crash test. One run without faults counts the resumptions; then the broker is killed at each of them. A client
// commits 1, 2, 3 ..., and a member goes through join and sync. Whatever was acknowledged is there after the restart,
// and nothing that was never sent.
class KillTest : public CoordinatorTest {
 protected:
  struct Client {
    int64_t sent = 0, acknowledged = 0;
    int32_t generation = 0;  // whose assignment was acknowledged
    std::string member_id;
    bool deleted = false, done = false;
  };
  static Task<void> drive(Env& env, GroupCoordinator& groups, Client& client) {
    (void)co_await groups.find("g");
    while (groups.list().error != Code::kNone) co_await env.sleep(milliseconds(1));
    for (int i = 0; i < 6; ++i) {
      auto request = commit_request("g", ++client.sent);
      if (co_await groups.commit(std::move(request)) == Code::kNone) client.acknowledged = client.sent;
    }
    for (int i = 0; i < 2; ++i) {  // two generations
      auto join = join_request(client.member_id);
      JoinAnswer joined = co_await groups.join("h", std::move(join), nullptr);
      if (joined.error != Code::kNone) continue;
      client.member_id = joined.member_id;
      auto sync = sync_request(joined);
      SyncAnswer synced = co_await groups.sync("h", std::move(sync), nullptr);
      if (synced.error == Code::kNone) client.generation = joined.generation;
    }
    auto last = commit_request("gone", 1);
    (void)co_await groups.commit(std::move(last));
    client.deleted = co_await groups.delete_group("gone") == Code::kNone;
    client.done = true;
  }
};

TEST_F(KillTest, WhateverWasAcknowledgedIsThereAfterAKillAtAnyStep) {
  options_.group.initial_rebalance_delay = milliseconds(1);
  options_.partitions = 2;
  uint64_t steps = 0;
  for (uint64_t n = 1; n < 100000; ++n) {
    disk_ = FakeDisk();
    SimOptions sim_options;
    sim_options.seed = n;
    world_.emplace(sim_options);
    start();
    Client client;
    bool killed = false;
    SimEnv* first = env_;
    first->at_resumption(n, [&, first] {
      killed = true;
      process_.reset();
      world_->kill(*first);
    });
    world_->spawn(*env_, drive(*env_, groups(), client));
    world_->run_until([&] { return client.done || killed; }, seconds(60));
    steps = n;
    if (!killed) {
      ASSERT_TRUE(client.done);
      ASSERT_EQ(client.acknowledged, 6);
      ASSERT_EQ(client.generation, 2);
      ASSERT_TRUE(client.deleted);
      kill();
      break;
    }
    world_->run_for(milliseconds(1));  // it is dead
    if (n % 2) disk_.forget_uncommitted();
    start();
    ASSERT_EQ(find("g"), Code::kNone);
    loaded();
    const int64_t there = committed("g");
    ASSERT_GE(there == -1 ? 0 : there, client.acknowledged) << "killed at resumption " << n;
    ASSERT_LE(there, client.sent) << "killed at resumption " << n;
    if (client.generation > 0) {
      auto described = groups().describe("h");
      ASSERT_EQ(described.error, Code::kNone) << "killed at resumption " << n;
      ASSERT_EQ(described.group.state, "Stable") << "killed at resumption " << n;
      ASSERT_EQ(described.group.members.at(0).assignment, bytes("of-" + client.member_id));
      const auto listed = groups().list().groups;
      for (const Group* group : listed)
        if (group->id() == "h") {
          ASSERT_GE(group->generation(), client.generation) << "killed at resumption " << n;
        }
    }
    if (client.deleted) {
      ASSERT_EQ(committed("gone"), -1) << "killed at resumption " << n;
    }
    kill();
  }
  EXPECT_GT(steps, 50u);  // it did stop inside
  EXPECT_LT(steps, 99999u);
}

}  // namespace
}  // namespace farshore::broker
