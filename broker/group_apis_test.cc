// The group APIs through a whole broker: frames over the simulated network, state on the simulated disk.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/sim/disk.h"
#include "base/sim/world.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/test_client.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/delete_groups.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/describe_groups.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/heartbeat.h"
#include "proto/kafka/messages/join_group.h"
#include "proto/kafka/messages/leave_group.h"
#include "proto/kafka/messages/list_groups.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/offset_delete.h"
#include "proto/kafka/messages/offset_fetch.h"
#include "proto/kafka/messages/sync_group.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
constexpr Duration kLimit = seconds(300);

constexpr int16_t code(Code error) { return static_cast<int16_t>(error); }

kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

#define CO_REQUIRE(condition)              \
  do {                                     \
    if (!(condition)) {                    \
      ADD_FAILURE() << "not: " #condition; \
      co_return;                           \
    }                                      \
  } while (0)

class GroupApis : public ::testing::Test {
 protected:
  void make_world(uint64_t seed = 11) {
    kill();
    sim::SimOptions options;
    options.seed = seed;
    world_.emplace(options);
    client_ = &world_->start_process("client", "client");
  }
  void SetUp() override { make_world(); }
  void TearDown() override { kill(); }

  void set(std::string name, std::string value) { properties_[std::move(name)] = std::move(value); }
  void start() {
    Config config(broker_schema());
    ASSERT_TRUE(config.set("listeners", "PLAINTEXT://east-1:9092"));
    ASSERT_TRUE(config.set("log.dirs", "/data"));
    ASSERT_TRUE(config.set("log.reserve.bytes", "0"));
    ASSERT_TRUE(config.set("offsets.topic.num.partitions", "3"));
    ASSERT_TRUE(config.set("group.initial.rebalance.delay.ms", "100"));
    for (const auto& [name, value] : properties_) ASSERT_TRUE(config.set(name, value)) << name;
    env_ = &world_->start_process("east-1", "broker");
    broker_ = std::make_unique<Broker>(*env_, env_->kv(), std::move(config));
    bool started = false;
    ASSERT_TRUE(world_->run(*env_, start_task(*broker_, started), kLimit));
    ASSERT_TRUE(started);
  }
  void kill() {
    if (broker_ && !env_->dead()) world_->kill(*env_);
    broker_.reset();
  }
  void restart() {
    kill();
    start();
  }
  void run(Task<void> task) { ASSERT_TRUE(world_->run(*client_, std::move(task), kLimit)) << "it did not end"; }
  static Task<void> start_task(Broker& broker, bool& started) {
    auto result = co_await broker.start();
    EXPECT_TRUE(result) << result.error().to_string();
    started = result.has_value();
  }

  std::optional<sim::SimWorld> world_;
  sim::SimEnv* client_ = nullptr;
  sim::SimEnv* env_ = nullptr;
  std::unique_ptr<Broker> broker_;
  std::map<std::string, std::string> properties_;
};

// --- what a client says ---

Endpoint address() { return Endpoint{"east-1", 9092}; }  // not in the co_await: g++ 12 frees such a temporary twice

kafka::CreateTopicsRequest create_topic(std::string name) {
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  topic.num_partitions = 2;
  topic.replication_factor = 1;
  request.timeout_ms = 10000;
  return request;
}

kafka::FindCoordinatorRequest find_request(std::string group, int8_t type = 0) {
  kafka::FindCoordinatorRequest request;
  request.key_type = type;
  request.coordinator_keys = {std::move(group)};
  return request;
}

kafka::JoinGroupRequest join_request(std::string group, std::string member_id,
                                     std::optional<std::string> instance_id = std::nullopt) {
  kafka::JoinGroupRequest request;
  request.group_id = std::move(group);
  request.session_timeout_ms = 6000;
  request.rebalance_timeout_ms = 20000;
  request.member_id = std::move(member_id);
  request.group_instance_id = std::move(instance_id);
  request.protocol_type = "consumer";
  auto& protocol = request.protocols.emplace_back();
  protocol.name = "range";
  protocol.metadata = bytes("metadata");
  return request;
}

kafka::OffsetCommitRequest commit_request(std::string group, int64_t offset, std::string member_id = "",
                                          int32_t generation = -1) {
  kafka::OffsetCommitRequest request;
  request.group_id = std::move(group);
  request.member_id = std::move(member_id);
  request.generation_id_or_member_epoch = generation;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = 1;
  partition.committed_offset = offset;
  partition.committed_leader_epoch = 4;
  partition.committed_metadata = "note";
  return request;
}

// Until the coordinator serves: as a client would.
Task<void> find(TestClient& client, Env& env, std::string group) {
  for (int i = 0; i < 100; ++i) {
    auto request = find_request(group);
    auto found = co_await client.call(std::move(request), 6);
    CO_REQUIRE(found && found->coordinators.size() == 1);
    kafka::OffsetFetchRequest fetch;
    fetch.groups.emplace_back().group_id = group;
    auto fetched = co_await client.call(std::move(fetch), 9);
    CO_REQUIRE(fetched && fetched->groups.size() == 1);
    if (found->coordinators[0].error_code == 0 && fetched->groups[0].error_code == 0) co_return;
    co_await env.sleep(milliseconds(20));
  }
  ADD_FAILURE() << "the coordinator does not come";
}

// -1: none; the broker's answer to a fetch of one partition.
Task<int64_t> fetch_offset(TestClient& client, std::string group) {
  kafka::OffsetFetchRequest request;
  auto& asked = request.groups.emplace_back();
  asked.group_id = std::move(group);
  auto& topic = asked.topics.emplace().emplace_back();
  topic.name = "t";
  topic.partition_indexes = {1};
  auto fetched = co_await client.call(std::move(request), 9);
  if (!fetched || fetched->groups.at(0).error_code != 0) {
    ADD_FAILURE() << "OffsetFetch failed";
    co_return -2;
  }
  co_return fetched->groups[0].topics.at(0).partitions.at(0).committed_offset;
}

// One consumer: a connection, and what it was told.
struct Member {
  explicit Member(Env& env) : client(env) {}
  TestClient client;
  std::optional<std::string> instance_id;
  std::string member_id, leader;
  int32_t generation = -1;
  size_t members = 0;
  kafka::Bytes assignment;
  int16_t error = 0;
  bool skip = false, done = false;
};

// Joins, with the extra round for a member id, then syncs; as often as the group rebalances under it.
Task<void> enter(Member& member, std::string group, Gate* gate) {
  (void)gate;
  member.done = false;
  for (int round = 0; round < 50; ++round) {
    auto request = join_request(group, member.member_id, member.instance_id);
    auto joined = co_await member.client.call(std::move(request), 9);
    CO_REQUIRE(joined);
    member.member_id = joined->member_id;
    member.error = joined->error_code;
    if (joined->error_code == code(Code::kMemberIdRequired)) continue;
    if (joined->error_code != 0) break;
    member.generation = joined->generation_id;
    member.leader = joined->leader;
    member.members = joined->members.size();
    member.skip = joined->skip_assignment;
    kafka::SyncGroupRequest sync;
    sync.group_id = group;
    sync.member_id = member.member_id;
    sync.group_instance_id = member.instance_id;
    sync.generation_id = member.generation;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    if (!member.skip) {
      for (const auto& each : joined->members) {
        auto& assignment = sync.assignments.emplace_back();
        assignment.member_id = each.member_id;
        assignment.assignment = bytes("of-" + each.member_id);
      }
    }
    auto synced = co_await member.client.call(std::move(sync), 5);
    CO_REQUIRE(synced);
    member.error = synced->error_code;
    if (synced->error_code == code(Code::kRebalanceInProgress)) continue;
    member.assignment = synced->assignment;
    break;
  }
  member.done = true;
}

Task<int16_t> heartbeat(Member& member, std::string group) {
  kafka::HeartbeatRequest request;
  request.group_id = std::move(group);
  request.member_id = member.member_id;
  request.group_instance_id = member.instance_id;
  request.generation_id = member.generation;
  auto answered = co_await member.client.call(std::move(request), 4);
  co_return answered ? answered->error_code : int16_t{-100};
}

// --- scenarios ---

// All members enter at the same time; `gate` runs them.
Task<void> enter_all(Env& env, std::vector<std::unique_ptr<Member>>& members, std::string group) {
  Gate gate(env);
  for (auto& member : members) spawn(gate, "member", enter(*member, group, &gate));
  co_await gate.close();
}

Task<void> three_members(Env& env) {
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<Member>(env));
    CO_REQUIRE(co_await members.back()->client.connect(address()));
  }
  co_await find(members[0]->client, env, "g");
  co_await enter_all(env, members, "g");
  int leaders = 0;
  for (auto& member : members) {
    CO_REQUIRE(member->done && member->error == 0);
    EXPECT_EQ(member->generation, members[0]->generation);
    EXPECT_EQ(member->assignment, bytes("of-" + member->member_id));
    leaders += member->leader == member->member_id ? 1 : 0;
    EXPECT_EQ(member->leader == member->member_id ? member->members : 3, 3u);
    EXPECT_EQ(co_await heartbeat(*member, "g"), 0);
  }
  EXPECT_EQ(leaders, 1);

  // One falls silent; the others send heartbeats until they hear of it, and enter again.
  auto silent = std::move(members.back());
  members.pop_back();
  silent->client.close();
  int16_t heard = 0;
  for (int i = 0; i < 20 && heard == 0; ++i) {
    co_await env.sleep(milliseconds(500));
    heard = co_await heartbeat(*members[0], "g");
    int16_t other = co_await heartbeat(*members[1], "g");
    if (heard == 0) heard = other;
  }
  EXPECT_EQ(heard, code(Code::kRebalanceInProgress));
  const int32_t before = members[0]->generation;
  co_await enter_all(env, members, "g");
  for (auto& member : members) {
    EXPECT_EQ(member->error, 0);
    EXPECT_EQ(member->generation, before + 1);
  }

  // A fourth comes: everybody enters again.
  auto late = std::make_unique<Member>(env);
  CO_REQUIRE(co_await late->client.connect(address()));
  members.push_back(std::move(late));
  co_await enter_all(env, members, "g");
  for (auto& member : members) EXPECT_EQ(member->assignment, bytes("of-" + member->member_id));

  // All leave in one request.
  kafka::LeaveGroupRequest leave;
  leave.group_id = "g";
  for (auto& member : members) leave.members.emplace_back().member_id = member->member_id;
  auto left = co_await members[0]->client.call(std::move(leave), 5);
  CO_REQUIRE(left && left->members.size() == 3);
  for (const auto& each : left->members) EXPECT_EQ(each.error_code, 0);
  kafka::ListGroupsRequest list;
  list.states_filter = {"empty"};
  list.types_filter = {"Classic"};
  auto listed = co_await members[0]->client.call(std::move(list), 5);
  CO_REQUIRE(listed && listed->groups.size() == 1);
  EXPECT_EQ(listed->groups[0].group_id, "g");
  EXPECT_EQ(listed->groups[0].group_state, "Empty");
  EXPECT_EQ(listed->groups[0].group_type, "classic");
}

TEST_F(GroupApis, MembersJoinRebalanceAndLeave) {
  start();
  run(three_members(*client_));
}

Task<void> static_member(Env& env) {
  std::vector<std::unique_ptr<Member>> members;
  for (const char* instance : {"a", "b"}) {
    members.push_back(std::make_unique<Member>(env));
    members.back()->instance_id = instance;
    CO_REQUIRE(co_await members.back()->client.connect(address()));
  }
  co_await find(members[0]->client, env, "g");
  co_await enter_all(env, members, "g");
  const auto was = members[1]->member_id;
  const auto assigned = members[1]->assignment;
  Member back(env);
  back.instance_id = "b";
  CO_REQUIRE(co_await back.client.connect(address()));
  co_await enter(back, "g", nullptr);
  EXPECT_EQ(back.error, 0);
  EXPECT_NE(back.member_id, was);
  EXPECT_EQ(back.generation, members[0]->generation);
  EXPECT_EQ(back.assignment, assigned);
  EXPECT_EQ(co_await heartbeat(*members[0], "g"), 0);
  EXPECT_EQ(co_await heartbeat(*members[1], "g"), code(Code::kFencedInstanceId));
}

TEST_F(GroupApis, StaticMemberComesBackToItsAssignment) {
  start();
  run(static_member(*client_));
}

Task<void> commit_and_fetch(Env& env, bool after_kill) {
  TestClient client(env);
  CO_REQUIRE(co_await client.connect(address()));
  co_await find(client, env, "g");
  if (!after_kill) {
    EXPECT_EQ(co_await fetch_offset(client, "g"), -1);
    auto request = commit_request("g", 42);
    auto& unknown = request.topics.emplace_back();
    unknown.name = "no-such-topic";
    unknown.partitions.emplace_back().committed_offset = 1;
    auto& large = request.topics[0].partitions.emplace_back();
    large.partition_index = 0;
    large.committed_metadata = std::string(4097, 'x');
    auto committed = co_await client.call(std::move(request), 9);
    CO_REQUIRE(committed && committed->topics.size() == 2);
    EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);
    EXPECT_EQ(committed->topics[0].partitions[1].error_code, code(Code::kOffsetMetadataTooLarge));
    EXPECT_EQ(committed->topics[1].partitions[0].error_code, code(Code::kUnknownTopicOrPartition));
  }
  for (int16_t version = 1; version <= 7; ++version) {
    kafka::OffsetFetchRequest request;
    request.group_id = "g";
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = "t";
    topic.partition_indexes = {0, 1};
    auto fetched = co_await client.call(std::move(request), version);
    CO_REQUIRE(fetched && fetched->error_code == 0 && fetched->topics.size() == 1);
    const auto& partitions = fetched->topics[0].partitions;
    CO_REQUIRE(partitions.size() == 2);
    EXPECT_EQ(partitions[0].committed_offset, -1);
    EXPECT_EQ(partitions[1].committed_offset, 42);
    EXPECT_EQ(partitions[1].committed_leader_epoch, version >= 5 ? 4 : -1);
    EXPECT_EQ(partitions[1].metadata, "note");
  }
  kafka::OffsetFetchRequest all;
  all.groups.emplace_back().group_id = "g";
  all.groups[0].topics = std::nullopt;
  all.groups.emplace_back().group_id = "nobody";
  all.groups[1].topics = std::nullopt;
  all.require_stable = true;
  auto fetched = co_await client.call(std::move(all), 9);
  CO_REQUIRE(fetched && fetched->groups.size() == 2);
  CO_REQUIRE(fetched->groups[0].topics.size() == 1);
  EXPECT_EQ(fetched->groups[0].topics[0].partitions.size(), 1u);
  EXPECT_TRUE(fetched->groups[1].topics.empty());
}

Task<void> make_topic(Env& env) {
  TestClient client(env);
  CO_REQUIRE(co_await client.connect(address()));
  auto request = create_topic("t");
  auto created = co_await client.call(std::move(request), 7);
  CO_REQUIRE(created && created->topics.at(0).error_code == 0);
}

TEST_F(GroupApis, OffsetsAreCommittedPerPartitionAndSurviveAKill) {
  start();
  run(make_topic(*client_));
  run(commit_and_fetch(*client_, false));
  restart();
  run(commit_and_fetch(*client_, true));
}

Task<void> describe_and_delete(Env& env) {
  Member member(env);
  CO_REQUIRE(co_await member.client.connect(address()));
  co_await find(member.client, env, "g");
  co_await enter(member, "g", nullptr);
  auto commit = commit_request("g", 7, member.member_id, member.generation);
  auto committed = co_await member.client.call(std::move(commit), 9);
  CO_REQUIRE(committed && committed->topics[0].partitions[0].error_code == 0);
  auto outside = commit_request("g", 8);
  auto refused = co_await member.client.call(std::move(outside), 9);
  CO_REQUIRE(refused);
  EXPECT_EQ(refused->topics[0].partitions[0].error_code, code(Code::kUnknownMemberId));

  for (int16_t version : {0, 5, 6}) {
    kafka::DescribeGroupsRequest request;
    request.groups = {"g", "nobody"};
    request.include_authorized_operations = version >= 3;
    auto described = co_await member.client.call(std::move(request), version);
    CO_REQUIRE(described && described->groups.size() == 2);
    EXPECT_EQ(described->groups[0].group_state, "Stable");
    CO_REQUIRE(described->groups[0].members.size() == 1);
    EXPECT_EQ(described->groups[0].members[0].client_id, "test");
    EXPECT_EQ(described->groups[0].members[0].member_assignment, bytes("of-" + member.member_id));
    EXPECT_EQ(described->groups[1].group_state, "Dead");
    EXPECT_EQ(described->groups[1].error_code, version >= 6 ? code(Code::kGroupIdNotFound) : 0);
  }

  kafka::DeleteGroupsRequest delete_request;
  delete_request.groups_names = {"g", "nobody"};
  auto deleted = co_await member.client.call(delete_request, 2);
  CO_REQUIRE(deleted && deleted->results.size() == 2);
  EXPECT_EQ(deleted->results[0].error_code, code(Code::kNonEmptyGroup));
  EXPECT_EQ(deleted->results[1].error_code, code(Code::kGroupIdNotFound));
  kafka::LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.member_id = member.member_id;
  auto left = co_await member.client.call(std::move(leave), 2);
  CO_REQUIRE(left && left->error_code == 0);

  kafka::OffsetDeleteRequest offsets;
  offsets.group_id = "g";
  auto& topic = offsets.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().partition_index = 1;
  offsets.topics.emplace_back().name = "no-such-topic";
  offsets.topics.back().partitions.emplace_back().partition_index = 0;
  auto removed = co_await member.client.call(std::move(offsets), 0);
  CO_REQUIRE(removed && removed->error_code == 0);
  EXPECT_EQ(removed->topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(removed->topics.at(1).partitions.at(0).error_code, code(Code::kUnknownTopicOrPartition));
  EXPECT_EQ(co_await fetch_offset(member.client, "g"), -1);

  deleted = co_await member.client.call(delete_request, 2);
  CO_REQUIRE(deleted);
  EXPECT_EQ(deleted->results[0].error_code, 0);
}

TEST_F(GroupApis, GroupsAreDescribedAndDeleted) {
  start();
  run(make_topic(*client_));
  run(describe_and_delete(*client_));
}

Task<void> coordinators(Env& env) {
  TestClient client(env);
  CO_REQUIRE(co_await client.connect(address()));
  for (int16_t version = 0; version <= 6; ++version) {
    kafka::FindCoordinatorRequest request;
    request.key = "g";
    if (version >= 4) request = find_request("g");
    auto found = co_await client.call(std::move(request), version);
    CO_REQUIRE(found);
    const auto port = version >= 4 ? found->coordinators.at(0).port : found->port;
    const auto host = version >= 4 ? found->coordinators.at(0).host : found->host;
    EXPECT_EQ(port, 9092);
    EXPECT_EQ(host, "east-1");
  }
  auto transactional = find_request("id", 1);
  auto refused = co_await client.call(std::move(transactional), 6);
  CO_REQUIRE(refused);
  EXPECT_EQ(refused->coordinators.at(0).error_code, code(Code::kInvalidRequest));
  EXPECT_NE(refused->coordinators[0].error_message.value_or("").find("transactions"), std::string::npos);
}

TEST_F(GroupApis, CoordinatorOfGroupsIsFoundAndOfTransactionsRefused) {
  start();
  run(coordinators(*client_));
}

Task<void> deleted_topic(Env& env) {
  TestClient client(env);
  CO_REQUIRE(co_await client.connect(address()));
  co_await find(client, env, "g");
  auto commit = commit_request("g", 9);
  auto committed = co_await client.call(std::move(commit), 9);
  CO_REQUIRE(committed && committed->topics[0].partitions[0].error_code == 0);
  kafka::DeleteTopicsRequest remove;
  remove.topics.emplace_back().name = "t";
  remove.timeout_ms = 10000;
  auto removed = co_await client.call(std::move(remove), 6);
  CO_REQUIRE(removed && removed->responses.at(0).error_code == 0);
  auto again = create_topic("t");
  auto created = co_await client.call(std::move(again), 7);
  CO_REQUIRE(created && created->topics.at(0).error_code == 0);
  co_await env.sleep(seconds(1));
  EXPECT_EQ(co_await fetch_offset(client, "g"), -1);
}

TEST_F(GroupApis, TopicMadeAnewHasNoCommittedOffsets) {
  start();
  run(make_topic(*client_));
  run(deleted_topic(*client_));
}

// --- crashes ---

struct Progress {
  int64_t sent = 0, acknowledged = 0;
  int32_t generation = 0;  // whose assignment arrived
  std::string member_id;
  bool done = false;
};

Task<void> work(Env& env, Progress& progress) {
  Member member(env);
  auto connected = co_await member.client.connect(address());
  if (!connected) co_return;
  auto topic = create_topic("t");
  auto created = co_await member.client.call(std::move(topic), 7);
  if (!created) co_return;
  for (int i = 0; i < 200; ++i) {
    auto wanted = find_request("g");
    auto found = co_await member.client.call(std::move(wanted), 6);
    if (!found) co_return;
    auto request = commit_request("g", ++progress.sent);
    auto committed = co_await member.client.call(std::move(request), 9);
    if (!committed) co_return;
    if (committed->topics[0].partitions[0].error_code == 0) progress.acknowledged = progress.sent;
    if (progress.acknowledged >= 4) break;
    if (progress.acknowledged == 0) co_await env.sleep(milliseconds(5));
  }
  for (int round = 0; round < 8; ++round) {
    auto request = join_request("h", member.member_id);
    auto joined = co_await member.client.call(std::move(request), 9);
    if (!joined) co_return;
    member.member_id = joined->member_id;
    if (joined->error_code != 0) continue;
    kafka::SyncGroupRequest sync;
    sync.group_id = "h";
    sync.member_id = member.member_id;
    sync.generation_id = joined->generation_id;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    auto& assignment = sync.assignments.emplace_back();
    assignment.member_id = member.member_id;
    assignment.assignment = bytes("work");
    auto synced = co_await member.client.call(std::move(sync), 5);
    if (!synced) co_return;
    if (synced->error_code == 0) {
      progress.generation = joined->generation_id;
      progress.member_id = member.member_id;
      break;
    }
  }
  progress.done = true;
}

Task<void> check(Env& env, const Progress& progress) {
  TestClient client(env);
  CO_REQUIRE(co_await client.connect(address()));
  co_await find(client, env, "g");
  co_await find(client, env, "h");
  const int64_t there = co_await fetch_offset(client, "g");
  EXPECT_GE(std::max<int64_t>(there, 0), progress.acknowledged);
  EXPECT_LE(there, progress.sent);
  if (progress.generation == 0) co_return;
  kafka::DescribeGroupsRequest request;
  request.groups = {"h"};
  auto described = co_await client.call(std::move(request), 6);
  CO_REQUIRE(described && described->groups.size() == 1);
  CO_REQUIRE(described->groups[0].members.size() == 1);
  EXPECT_EQ(described->groups[0].members[0].member_id, progress.member_id);
  EXPECT_EQ(described->groups[0].members[0].member_assignment, bytes("work"));
}

class GroupCrash : public GroupApis, public ::testing::WithParamInterface<bool> {};

// A power loss drops everything that was not synced, or a SIGKILL leaves the page cache: at every so many resumptions.
TEST_P(GroupCrash, AcknowledgedCommitsAndAssignmentsAreThereAfterwards) {
  const bool power_loss = GetParam();
  set("offsets.topic.num.partitions", "2");
  set("group.initial.rebalance.delay.ms", "1");
  set("durability", power_loss ? "fsync" : "page-cache");
  int crashes = 0;
  for (uint64_t n = 1; n < 5000; n += 1 + n / 16) {
    SCOPED_TRACE("seed and resumption " + std::to_string(n));
    make_world(n);
    start();
    Progress progress;
    bool crashed = false;
    env_->at_resumption(n, [&] {
      crashed = true;
      if (power_loss)
        world_->power_off("east-1", sim::PowerLoss::kDropAll);
      else
        world_->kill(*env_);
    });
    world_->spawn(*client_, work(*client_, progress));
    world_->run_until([&] { return crashed || progress.done; }, kLimit);
    if (!crashed) {
      EXPECT_TRUE(progress.done);
      EXPECT_EQ(progress.acknowledged, 4);
      EXPECT_EQ(progress.generation, 1);
      break;
    }
    ++crashes;
    world_->run_for(milliseconds(1));
    broker_.reset();
    if (power_loss) world_->power_on("east-1");
    start();
    run(check(*client_, progress));
    if (HasFailure()) break;
  }
  EXPECT_GT(crashes, 20);
}

INSTANTIATE_TEST_SUITE_P(Disk, GroupCrash, ::testing::Values(false, true), [](const auto& info) {
  return info.param ? std::string("PowerLossWithFsync") : std::string("Kill");
});

}  // namespace
}  // namespace farshore::broker
