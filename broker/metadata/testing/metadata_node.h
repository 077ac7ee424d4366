// For tests: the metadata of one broker on a simulated host.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/sim/world.h"
#include "broker/metadata/metadata.h"

namespace farshore::broker::metadata_test {

inline constexpr Duration kLimit = seconds(60);

// Passes everything on, and counts.
class LimitedStore final : public MetaStore {
 public:
  LimitedStore(std::unique_ptr<MetaStore> store, size_t& commits_left, size_t& failing_commit, size_t& entries_read)
      : store_(std::move(store)),
        commits_left_(commits_left),
        failing_commit_(failing_commit),
        entries_read_(entries_read) {}
  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) override {
    if (failing_commit_ > 0 && --failing_commit_ == 0) co_return Error(ErrorCode::kNoSpace, "as this test wants");
    if (commits_left_ == 0) co_return Error(ErrorCode::kUnavailable, "no more commits in this test");
    --commits_left_;
    co_return co_await store_->commit(std::move(txn), deadline);
  }
  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline, size_t entries_max) override {
    auto read = co_await store_->range(std::move(begin), std::move(end), deadline, entries_max);
    if (read) entries_read_ += read->entries.size();
    co_return read;
  }
  Task<Result<MetaChanges>> changed_since(Revision since, Deadline deadline) override {
    return store_->changed_since(since, deadline);
  }
  Notifier& changes() override { return store_->changes(); }

 private:
  std::unique_ptr<MetaStore> store_;
  size_t& commits_left_;
  size_t& failing_commit_;
  size_t& entries_read_;
};

// One broker's metadata on a simulated host; start() again after a kill finds the same disk.
class Node {
 public:
  explicit Node(uint64_t seed) : world_(options(seed)) {}
  ~Node() { stop(); }

  // False if the process died on the way.
  bool start() {
    env_ = &world_.start_process("east-1", "broker");
    bool started = false;
    bool ended = run(start_task(started));
    return ended && started;
  }
  void stop() {
    if (env_ && !env_->dead() && manager_) (void)run(manager_->stop());
    manager_.reset();
  }
  void kill() {
    world_.kill(*env_);
    manager_.reset();
  }
  bool run(Task<void> task) { return world_.run(*env_, std::move(task), kLimit); }
  sim::SimWorld& world() { return world_; }
  sim::SimEnv& env() { return *env_; }
  MetadataManager& manager() { return *manager_; }
  MetaStore& store() { return *store_; }
  ImagePtr image() { return manager_->image(); }
  Deadline limit() { return env_->in(kLimit); }
  int64_t salt = 0;                // for start()
  size_t commits_left = SIZE_MAX;  // more fail
  size_t failing_commit = 0;       // this one fails, counted from 1; 0: none
  size_t entries_read = 0;

 private:
  static sim::SimOptions options(uint64_t seed) {
    sim::SimOptions options;
    options.seed = seed;
    return options;
  }
  Task<void> start_task(bool& started) {
    auto kv = co_await env_->kv().open("/data/meta");
    if (!kv) co_return;
    auto store = co_await open_kv_meta_store(*env_, std::move(*kv));
    if (!store) co_return;
    store_ = store->get();
    BrokerImage self;
    self.id = BrokerId(1);
    self.advertised = Endpoint{"east-1", 9092};
    auto limited = std::make_unique<LimitedStore>(std::move(*store), commits_left, failing_commit, entries_read);
    manager_ = std::make_unique<MetadataManager>(*env_, std::move(limited), self);
    manager_->use_salt(salt);
    auto status = co_await manager_->start("", limit());
    EXPECT_TRUE(status) << status.error().to_string();
    started = status.has_value();
  }

  sim::SimWorld world_;
  sim::SimEnv* env_ = nullptr;
  std::unique_ptr<MetadataManager> manager_;
  MetaStore* store_ = nullptr;
};

inline NewTopic topic_of(std::string name, int32_t partitions) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  topic.configs = {{"retention.ms", "5"}};
  return topic;
}

inline Task<void> create(Node& node, std::string name, int32_t partitions, Result<TopicPtr>& result) {
  NewTopic topic = topic_of(std::move(name), partitions);
  result = co_await node.manager().create_topic(std::move(topic), node.limit());
}

inline Result<TopicPtr> created(Node& node, const std::string& name, int32_t partitions) {
  Result<TopicPtr> result = Error(ErrorCode::kInternal, "did not end");
  (void)node.run(create(node, name, partitions, result));
  return result;
}

}  // namespace farshore::broker::metadata_test
