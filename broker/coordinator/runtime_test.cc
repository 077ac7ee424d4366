#include "broker/coordinator/runtime.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/sim/world.h"
#include "broker/coordinator/testing/fake_topics.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

// A coordinator whose state is a map: each record sets or removes one key.
struct MapState final : CoordinatorState {
  std::map<std::string, std::string> values;
  std::vector<std::string> events;

  void clear() override {
    values.clear();
    events.push_back("clear");
  }
  Status replay(std::string_view key, std::optional<std::string_view> value) override {
    if (key == "damaged") return Error(ErrorCode::kCorrupt, "not a record of this topic");
    if (value)
      values[std::string(key)] = std::string(*value);
    else
      values.erase(std::string(key));
    return ok();
  }
  void loaded() override { events.push_back("loaded"); }
  void lost(Code error) override { events.push_back("lost " + std::string(kafka::error_name(error))); }
};

struct Process {
  Process(sim::SimEnv& e, FakeDisk& disk, CoordinatorRuntimeOptions options)
      : env(e), topics(env, arena, disk), runtime(env, arena, state, "test state", 0, options, {}) {}
  sim::SimEnv& env;
  SlabArena arena;
  FakeTopics topics;
  MapState state;
  CoordinatorRuntime runtime;
};

class CoordinatorRuntimeTest : public ::testing::Test {
 protected:
  CoordinatorRuntimeTest() {
    sim::SimOptions options;
    options.seed = 5;
    world_.emplace(options);
    disk_.partition_count = 1;
  }
  ~CoordinatorRuntimeTest() override { kill(); }

  void start() {
    env_ = &world_->start_process("host", "broker");
    process_ = std::make_shared<Process>(*env_, disk_, options_);
    env_->hold(process_);
  }
  void kill() {
    if (!process_) return;
    process_.reset();
    world_->kill(*env_);
  }
  CoordinatorRuntime& runtime() { return process_->runtime; }
  MapState& state() { return process_->state; }

  static Task<void> load_task(std::shared_ptr<Process> process, std::optional<Status>& result) {
    auto log = co_await process->topics.open("topic", 0, Deadline::never());
    EXPECT_TRUE(log);
    result = co_await process->runtime.load(std::move(*log));
  }
  Status load() {
    std::optional<Status> result;
    world_->spawn(*env_, load_task(process_, result));
    world_->run_until([&] { return result.has_value(); }, seconds(60));
    return result.value_or(Error(ErrorCode::kInternal, "the load did not end"));
  }
  void restart() {
    kill();
    start();
    ASSERT_TRUE(load());
  }

  static EncodedRecord record(std::string key, std::optional<std::string> value) {
    EncodedRecord record;
    record.key = std::move(key);
    record.value = std::move(value);
    return record;
  }
  using Answer = std::shared_ptr<std::optional<Code>>;
  Answer submit(CoordinatorRuntime::Records records) {
    auto answer = std::make_shared<std::optional<Code>>();
    CoordinatorRuntime::Change change;
    change.records = std::move(records);
    change.done = [answer](Code code) { *answer = code; };
    runtime().submit(std::move(change));
    return answer;
  }
  Answer submit_built(std::function<Result<CoordinatorRuntime::Records>()> build) {
    auto answer = std::make_shared<std::optional<Code>>();
    CoordinatorRuntime::Change change;
    change.build = std::move(build);
    change.done = [answer](Code code) { *answer = code; };
    runtime().submit(std::move(change));
    return answer;
  }
  Code ended(const Answer& answer) {
    world_->run_until([&] { return answer->has_value(); }, seconds(60));
    EXPECT_TRUE(answer->has_value()) << "a change was not answered";
    return answer->value_or(Code::kUnknownServerError);
  }
  void close() { ASSERT_TRUE(world_->run(*env_, runtime().close(), seconds(60))); }

  std::optional<sim::SimWorld> world_;
  FakeDisk disk_;
  CoordinatorRuntimeOptions options_;
  sim::SimEnv* env_ = nullptr;
  std::shared_ptr<Process> process_;
};

TEST_F(CoordinatorRuntimeTest, RefusesChangesUntilItIsLoaded) {
  start();
  EXPECT_EQ(runtime().status(), Code::kCoordinatorLoadInProgress);
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kNotCoordinator);
  ASSERT_TRUE(load());
  EXPECT_EQ(runtime().status(), Code::kNone);
  EXPECT_EQ(state().events, (std::vector<std::string>{"clear", "loaded"}));
}

TEST_F(CoordinatorRuntimeTest, ChangeIsAppliedAndAcknowledgedOnlyWhenCommitted) {
  start();
  ASSERT_TRUE(load());
  disk_.hold_commits = true;
  auto answer = submit({record("a", "1")});
  world_->run_for(seconds(5));
  EXPECT_FALSE(answer->has_value());
  EXPECT_TRUE(state().values.empty());
  disk_.hold_commits = false;
  EXPECT_EQ(ended(answer), Code::kNone);
  EXPECT_EQ(state().values.at("a"), "1");
}

TEST_F(CoordinatorRuntimeTest, RestartReplaysTheSameState) {
  start();
  ASSERT_TRUE(load());
  EXPECT_EQ(ended(submit({record("a", "1"), record("b", "2")})), Code::kNone);
  EXPECT_EQ(ended(submit({record("a", std::nullopt), record("c", "3")})), Code::kNone);
  const auto before = state().values;
  EXPECT_EQ(before, (std::map<std::string, std::string>{{"b", "2"}, {"c", "3"}}));
  restart();
  EXPECT_EQ(state().values, before);
}

TEST_F(CoordinatorRuntimeTest, ChangesThatWaitShareOneBatch) {
  start();
  ASSERT_TRUE(load());
  auto first = submit({record("a", "1")});
  std::vector<Answer> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(submit({record("k" + std::to_string(i), "v")}));
  for (const auto& answer : waiting) EXPECT_EQ(ended(answer), Code::kNone);
  EXPECT_LE(disk_.appends, 2u);
}

TEST_F(CoordinatorRuntimeTest, BuildSeesEveryChangeBeforeIt) {
  start();
  ASSERT_TRUE(load());
  submit({record("a", "1")});
  std::optional<std::string> seen;
  auto answer = submit_built([&]() -> Result<CoordinatorRuntime::Records> {
    if (state().values.count("a")) seen = state().values.at("a");
    return CoordinatorRuntime::Records{record("a", std::nullopt)};
  });
  auto after = submit({record("b", "2")});
  EXPECT_EQ(ended(after), Code::kNone);
  EXPECT_EQ(*answer, Code::kNone);
  EXPECT_EQ(seen, "1");
  EXPECT_EQ(state().values.count("a"), 0u);
}

TEST_F(CoordinatorRuntimeTest, BuiltRecordsAreSpreadOverBatches) {
  options_.batch_bytes_max = 1000;
  start();
  ASSERT_TRUE(load());
  auto answer = submit_built([]() -> Result<CoordinatorRuntime::Records> {
    CoordinatorRuntime::Records records;
    for (int i = 0; i < 100; ++i) records.push_back(record("k" + std::to_string(i), std::string(60, 'v')));
    return records;
  });
  EXPECT_EQ(ended(answer), Code::kNone);
  EXPECT_EQ(state().values.size(), 100u);
  EXPECT_GT(disk_.appends, 10u);
}

TEST_F(CoordinatorRuntimeTest, RefusesTooLargeChangesAndFailedBuilds) {
  options_.batch_bytes_max = 1000;
  start();
  ASSERT_TRUE(load());
  EXPECT_EQ(ended(submit({record("a", std::string(2000, 'v'))})), Code::kMessageTooLarge);
  auto failed = submit_built(
      []() -> Result<CoordinatorRuntime::Records> { return Error(ErrorCode::kInvalidArgument, "too long"); });
  EXPECT_EQ(ended(failed), Code::kInvalidRequest);
  EXPECT_EQ(runtime().status(), Code::kNone);
}

TEST_F(CoordinatorRuntimeTest, FullQueueRefusesChangesAndTakesThemAgainLater) {
  options_.batch_bytes_max = 1000;
  options_.queue_bytes_max = 3000;
  start();
  ASSERT_TRUE(load());
  disk_.hold_commits = true;
  std::vector<Answer> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(submit({record("k" + std::to_string(i), std::string(500, 'v'))}));
  EXPECT_EQ(**answers.back(), Code::kCoordinatorNotAvailable);
  world_->run_for(seconds(1));
  disk_.hold_commits = false;
  EXPECT_EQ(ended(answers.front()), Code::kNone);
  world_->run_for(seconds(10));
  EXPECT_EQ(ended(submit({record("last", "v")})), Code::kNone);
}

TEST_F(CoordinatorRuntimeTest, FailedAppendIsAnsweredAndTheNextOneIsTried) {
  start();
  ASSERT_TRUE(load());
  disk_.append_error = Error(ErrorCode::kNoSpace);
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kCoordinatorNotAvailable);
  EXPECT_EQ(runtime().status(), Code::kNone);
  disk_.append_error.reset();
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kNone);
}

TEST_F(CoordinatorRuntimeTest, LostLogEndsTheServiceUntilTheNextLoad) {
  start();
  ASSERT_TRUE(load());
  disk_.append_error = Error(ErrorCode::kIo);
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kNotCoordinator);
  EXPECT_EQ(runtime().status(), Code::kNotCoordinator);
  EXPECT_EQ(state().events.back(), "lost NOT_COORDINATOR");
  disk_.append_error.reset();
  world_->run_for(seconds(1));
  ASSERT_TRUE(runtime().may_load());
  ASSERT_TRUE(load());
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kNone);
}

TEST_F(CoordinatorRuntimeTest, LoadFailsOnARecordThatCannotBeRead) {
  start();
  ASSERT_TRUE(load());
  EXPECT_EQ(ended(submit({record("a", "1")})), Code::kNone);
  kill();
  {  // a record that the state does not understand, as of a later version
    start();
    std::optional<Status> written;
    auto write = [](std::shared_ptr<Process> process, std::optional<Status>& result) -> Task<void> {
      auto log = co_await process->topics.open("topic", 0, Deadline::never());
      BatchBuilder builder;
      builder.add(1, "damaged", "x");
      auto appended = co_await (*log)->append(builder.build_run(process->arena));
      result = appended ? Status(ok()) : Status(appended.error());
    };
    world_->spawn(*env_, write(process_, written));
    world_->run_until([&] { return written.has_value(); }, seconds(10));
    ASSERT_TRUE(written && *written);
    kill();
  }
  start();
  auto loaded = load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(loaded.error().detail.find("test state of partition 0"), std::string::npos) << loaded.error().to_string();
  EXPECT_NE(loaded.error().detail.find("offset 1"), std::string::npos) << loaded.error().to_string();
  EXPECT_EQ(runtime().status(), Code::kNotCoordinator);
}

TEST_F(CoordinatorRuntimeTest, CloseAnswersWaitingChangesAndNotifiesTheState) {
  start();
  ASSERT_TRUE(load());
  disk_.hold_commits = true;
  auto under_way = submit({record("a", "1")});
  world_->run_for(milliseconds(10));
  auto waiting = submit({record("b", "2")});
  close();
  EXPECT_EQ(ended(under_way), Code::kNotCoordinator);
  EXPECT_EQ(ended(waiting), Code::kNotCoordinator);
  EXPECT_EQ(state().events.back(), "lost NOT_COORDINATOR");
  EXPECT_EQ(ended(submit({record("c", "3")})), Code::kNotCoordinator);
}

TEST_F(CoordinatorRuntimeTest, KillAtAnyStepKeepsAcknowledgedChanges) {
  for (uint64_t n = 1; n < 60; ++n) {
    SCOPED_TRACE("killed at resumption " + std::to_string(n));
    disk_ = FakeDisk();
    disk_.partition_count = 1;
    start();
    bool killed = false;
    env_->at_resumption(n, [&] {
      killed = true;
      world_->kill(*env_);
    });
    std::vector<Answer> answers;
    std::optional<Status> loaded;
    world_->spawn(*env_, load_task(process_, loaded));
    world_->run_until([&] { return killed || loaded.has_value(); }, seconds(10));
    for (int i = 0; i < 5 && !killed; ++i) {
      answers.push_back(submit({record("k" + std::to_string(i), "v")}));
      world_->run_until([&] { return killed || answers.back()->has_value(); }, seconds(10));
    }
    process_.reset();
    disk_.forget_uncommitted();
    start();
    ASSERT_TRUE(load());
    for (size_t i = 0; i < answers.size(); ++i) {
      if (*answers[i] == Code::kNone) {
        EXPECT_EQ(state().values.count("k" + std::to_string(i)), 1u);
      }
    }
    kill();
  }
}

}  // namespace
}  // namespace farshore::broker
