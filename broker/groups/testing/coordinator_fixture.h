// For tests: a broker process with a coordinator in the simulator, on a disk that survives it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/sim/world.h"
#include "broker/coordinator/testing/fake_topics.h"
#include "broker/groups/coordinator.h"

namespace farshore::broker {

using Code = kafka::ErrorCode;
using sim::SimEnv;
using sim::SimOptions;
using sim::SimWorld;

inline kafka::Bytes bytes(std::string_view text) {
  auto view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}

inline TopicPartition partition_of(std::string topic, int32_t partition) {
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

}  // namespace farshore::broker
