// For tests of the group APIs: requests, and members that join over the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/gate.h"
#include "broker/testing/test_cluster.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/heartbeat.h"
#include "proto/kafka/messages/join_group.h"
#include "proto/kafka/messages/leave_group.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/offset_fetch.h"
#include "proto/kafka/messages/sync_group.h"

namespace farshore::broker {

using Code = kafka::ErrorCode;

// Few partitions and short delays, so that a test is quick.
inline void set_group_properties(TestCluster& cluster) {
  cluster.set("log.reserve.bytes", "0");
  cluster.set("offsets.topic.num.partitions", "3");
  cluster.set("group.initial.rebalance.delay.ms", "100");
}

inline kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

inline kafka::CreateTopicsRequest create_topic(std::string name) {
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  topic.num_partitions = 2;
  topic.replication_factor = 1;
  request.timeout_ms = 10000;
  return request;
}

inline kafka::FindCoordinatorRequest find_request(std::string group, int8_t type = 0) {
  kafka::FindCoordinatorRequest request;
  request.key_type = type;
  request.coordinator_keys = {std::move(group)};
  return request;
}

inline kafka::JoinGroupRequest join_request(std::string group, std::string member_id,
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

inline kafka::OffsetCommitRequest commit_request(std::string group, int64_t offset, std::string member_id = "",
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

// Waits until the coordinator serves, as a client would.
inline Task<void> find(TestClient& client, Env& env, std::string group) {
  for (int i = 0; i < 100; ++i) {
    auto request = find_request(group);
    auto found = co_await client.call(std::move(request), 6);
    FARSHORE_CO_REQUIRE(found && found->coordinators.size() == 1);
    kafka::OffsetFetchRequest fetch;
    fetch.groups.emplace_back().group_id = group;
    auto fetched = co_await client.call(std::move(fetch), 9);
    FARSHORE_CO_REQUIRE(fetched && fetched->groups.size() == 1);
    if (found->coordinators[0].error_code == 0 && fetched->groups[0].error_code == 0) co_return;
    co_await env.sleep(milliseconds(20));
  }
  ADD_FAILURE() << "the coordinator does not come";
}

// The committed offset of partition 1 of topic t. -1: none; -2: the request failed.
inline Task<int64_t> fetch_offset(TestClient& client, std::string group) {
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

// One consumer: a connection, and the answers that it got.
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
inline Task<void> enter(Member& member, std::string group, Gate* gate) {
  (void)gate;
  member.done = false;
  for (int round = 0; round < 50; ++round) {
    auto request = join_request(group, member.member_id, member.instance_id);
    auto joined = co_await member.client.call(std::move(request), 9);
    FARSHORE_CO_REQUIRE(joined);
    member.member_id = joined->member_id;
    member.error = joined->error_code;
    if (joined->error_code == wire_code(Code::kMemberIdRequired)) continue;
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
    FARSHORE_CO_REQUIRE(synced);
    member.error = synced->error_code;
    if (synced->error_code == wire_code(Code::kRebalanceInProgress)) continue;
    member.assignment = synced->assignment;
    break;
  }
  member.done = true;
}

inline Task<int16_t> heartbeat(Member& member, std::string group) {
  kafka::HeartbeatRequest request;
  request.group_id = std::move(group);
  request.member_id = member.member_id;
  request.group_instance_id = member.instance_id;
  request.generation_id = member.generation;
  auto answered = co_await member.client.call(std::move(request), 4);
  co_return answered ? answered->error_code : int16_t{-100};
}

// All members enter at the same time; `gate` runs them.
inline Task<void> enter_all(Env& env, std::vector<std::unique_ptr<Member>>& members, std::string group) {
  Gate gate(env);
  for (auto& member : members) spawn(gate, "member", enter(*member, group, &gate));
  co_await gate.close();
}

inline Task<void> make_topic(Env& env) {
  TestClient client(env);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  auto request = create_topic("t");
  auto created = co_await client.call(std::move(request), 7);
  FARSHORE_CO_REQUIRE(created && created->topics.at(0).error_code == 0);
}

}  // namespace farshore::broker
