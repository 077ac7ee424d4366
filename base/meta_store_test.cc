#include "base/meta_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "base/gate.h"
#include "base/random.h"
#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

using testing::ElementsAre;
using namespace std::string_literals;

struct Disk {
  std::map<std::string, std::string> items;
  std::vector<Error> failures;  // of the next writes
  bool slow = false;            // writes take a minute
  int unsynced = 0;
};

class MapKv final : public KvStore {
 public:
  MapKv(Reactor& reactor, Disk& disk) : reactor_(reactor), disk_(disk) {}
  Task<Result<std::optional<std::string>>> get(std::string key) override {
    auto it = disk_.items.find(key);
    std::optional<std::string> value;
    if (it != disk_.items.end()) value = it->second;
    co_return value;
  }
  Task<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string begin, std::string end,
                                                                      size_t items_max) override {
    std::vector<std::pair<std::string, std::string>> found;
    for (auto it = disk_.items.lower_bound(begin); it != disk_.items.end() && found.size() < items_max; ++it) {
      if (!end.empty() && it->first >= end) break;
      found.emplace_back(*it);
    }
    co_return found;
  }
  Task<Result<std::vector<std::pair<std::string, std::string>>>> scan_reverse(std::string, std::string,
                                                                              size_t) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Status> write(KvBatch batch, Sync sync) override {
    if (sync == Sync::kNo) ++disk_.unsynced;
    Wait<void> pause(reactor_);
    (void)co_await pause.wait(Deadline(reactor_.now() + (disk_.slow ? Duration(minutes(1)) : Duration(1))));
    if (!disk_.failures.empty()) {
      Error error = disk_.failures.front();
      disk_.failures.erase(disk_.failures.begin());
      co_return error;
    }
    for (const auto& op : batch.ops()) {
      if (const auto* put = std::get_if<KvPut>(&op)) disk_.items[put->key] = put->value;
      if (const auto* erase = std::get_if<KvDelete>(&op)) disk_.items.erase(erase->key);
      if (const auto* range = std::get_if<KvDeleteRange>(&op))
        disk_.items.erase(disk_.items.lower_bound(range->begin), disk_.items.lower_bound(range->end));
    }
    co_return ok();
  }

 private:
  Reactor& reactor_;
  Disk& disk_;
};

class KvMetaStoreTest : public testing::Test {
 protected:
  template <class T>
  T run(Task<T> task) {
    return std::move(reactor_.run(std::move(task)).value());
  }
  std::unique_ptr<MetaStore> open() {
    return run(open_kv_meta_store(reactor_, std::make_unique<MapKv>(reactor_, disk_))).value();
  }
  Deadline soon() { return Deadline(reactor_.now() + seconds(5)); }
  Result<MetaTxnReply> commit(std::vector<Compare> conditions, std::vector<KvBatch::Op> then) {
    MetaTxn txn;
    txn.conditions = std::move(conditions);
    txn.then = std::move(then);
    return run(store_->commit(std::move(txn), soon()));
  }
  std::vector<std::string> keys(std::string begin, std::string end) {
    std::vector<std::string> names;
    const MetaSnapshot found = run(store_->range(begin, end, soon())).value();
    for (const auto& entry : found.entries) names.push_back(entry.key);
    return names;
  }
  MetaEntry entry(std::string key) { return run(store_->range(key, "", soon())).value().entries.at(0); }

  Disk disk_;
  ManualReactor reactor_;
  std::unique_ptr<MetaStore> store_ = open();
};

TEST_F(KvMetaStoreTest, EveryWritingTransactionRaisesTheRevisionByOne) {
  EXPECT_EQ(commit({}, {KvPut{"a", "1"}, KvPut{"b", "1"}})->revision, 1);
  EXPECT_EQ(commit({}, {KvPut{"a", "2"}})->revision, 2);
  EXPECT_EQ(commit({}, {})->revision, 2);
  EXPECT_EQ(entry("a").create_revision, 1);
  EXPECT_EQ(entry("a").mod_revision, 2);
  EXPECT_EQ(entry("a").value, "2");
  EXPECT_EQ(entry("b").mod_revision, 1);
  EXPECT_EQ(disk_.unsynced, 0);
}

TEST_F(KvMetaStoreTest, TransactionWritesNothingUnlessAllConditionsHold) {
  commit({}, {KvPut{"a", "1"}}).value();
  auto lost = commit({Compare::revision_is("a", 1), Compare::absent("a")}, {KvPut{"b", "x"}});
  EXPECT_FALSE(lost->succeeded);
  EXPECT_EQ(lost->revision, 1);
  EXPECT_FALSE(commit({Compare::value_is("b", "x")}, {})->succeeded);
  EXPECT_TRUE(commit({Compare::value_is("a", "1"), Compare::absent("b")}, {KvPut{"b", "x"}})->succeeded);
  EXPECT_FALSE(commit({Compare::absent("b")}, {KvPut{"b", "y"}})->succeeded);
  EXPECT_EQ(entry("b").value, "x");
  EXPECT_EQ(commit({Compare{"a", std::nullopt, std::nullopt}}, {}).error(), ErrorCode::kInvalidArgument);
}

TEST_F(KvMetaStoreTest, RangesFollowPrefixesAndTheirEnds) {
  commit({}, {KvPut{"t/a", ""}, KvPut{"t/b", ""}, KvPut{"t0", ""}, KvPut{"t", ""}, KvPut{"\xff", ""}}).value();
  EXPECT_THAT(keys("t/", prefix_end("t/")), ElementsAre("t/a", "t/b"));
  EXPECT_THAT(keys("t", ""), ElementsAre("t"));
  EXPECT_THAT(keys("", prefix_end("")), ElementsAre("t", "t/a", "t/b", "t0", "\xff"));
  EXPECT_THAT(keys("\xff", prefix_end("\xff")), ElementsAre("\xff"));
  EXPECT_THAT(keys("z", "a"), ElementsAre());
  EXPECT_EQ(prefix_end("a\xff"), "b");
  EXPECT_EQ(prefix_end(""), "\0"s);
}

TEST_F(KvMetaStoreTest, RangeLongerThanOneScanIsReadWhole) {
  for (int i = 0; i < 10000; i += 100) {
    std::vector<KvBatch::Op> ops;
    for (int j = i; j < i + 100; ++j) ops.push_back(KvPut{"k" + std::to_string(j), ""});
    commit({}, std::move(ops)).value();
  }
  EXPECT_EQ(keys("k", prefix_end("k")).size(), 10000u);
}

TEST_F(KvMetaStoreTest, DeletedKeyGetsANewCreateRevision) {
  commit({}, {KvPut{"a", "1"}, KvPut{"b", "1"}}).value();
  commit({}, {KvDelete{"a"}, KvPut{"a", "2"}, KvPut{"a", "3"}, KvPut{"b", "2"}}).value();
  EXPECT_EQ(entry("a").create_revision, 2);
  EXPECT_EQ(entry("a").value, "3");
  EXPECT_EQ(entry("b").create_revision, 1);
  commit({}, {KvPut{"a", "4"}, KvDeleteRange{"", prefix_end("")}, KvPut{"b", "3"}}).value();
  EXPECT_THAT(keys("", prefix_end("")), ElementsAre("b"));
  EXPECT_EQ(entry("b").create_revision, 3);
}

TEST_F(KvMetaStoreTest, EntriesAndRevisionSurviveReopening) {
  commit({}, {KvPut{"a", "1"}}).value();
  store_ = open();
  EXPECT_EQ(commit({Compare::revision_is("a", 1)}, {KvPut{"a", "2"}})->revision, 2);
  disk_.items.erase("r");
  EXPECT_EQ(run(open_kv_meta_store(reactor_, std::make_unique<MapKv>(reactor_, disk_))).error(), ErrorCode::kCorrupt);
}

TEST_F(KvMetaStoreTest, FullDiskAppliesNothingAndFailedDiskIsAmbiguousThenRefused) {
  disk_.failures = {Error(ErrorCode::kNoSpace), Error(ErrorCode::kIo, "bad sector")};
  EXPECT_EQ(commit({}, {KvPut{"a", "1"}}).error(), ErrorCode::kNoSpace);
  EXPECT_EQ(commit({}, {KvPut{"a", "1"}}).error(), ErrorCode::kAmbiguous);
  EXPECT_EQ(commit({}, {KvPut{"a", "1"}}).error(), ErrorCode::kIo);
  EXPECT_EQ(run(store_->range("a", "", soon())).error(), ErrorCode::kIo);
}

TEST_F(KvMetaStoreTest, ConcurrentCompareAndSetsNeverLoseAnUpdate) {
  commit({}, {KvPut{"n", "0"}}).value();
  Gate gate(reactor_);
  struct Adder {
    static Task<void> add(MetaStore& store, Reactor& reactor) {
      for (int i = 0; i < 10; ++i) {
        for (bool done = false; !done;) {
          auto seen = (co_await store.range("n", "", Deadline(reactor.now() + hours(1)))).value();
          MetaTxn txn;
          txn.conditions.push_back(Compare::revision_is("n", seen.entries.at(0).mod_revision));
          txn.then.push_back(KvPut{"n", std::to_string(std::stoi(seen.entries.at(0).value) + 1)});
          done = (co_await store.commit(std::move(txn), Deadline(reactor.now() + hours(1)))).value().succeeded;
        }
      }
    }
  };
  for (int i = 0; i < 5; ++i) spawn(gate, "adder", Adder::add(*store_, reactor_));
  reactor_.run();
  EXPECT_EQ(gate.count(), 0u);
  EXPECT_EQ(entry("n").value, "50");
  EXPECT_EQ(entry("n").mod_revision, 51);
}

TEST_F(KvMetaStoreTest, WriterThatTimesOutInTheQueueGetsUnavailableAndAppliesNothing) {
  disk_.slow = true;
  struct Writer {
    static Task<void> write(MetaStore& store, Reactor& reactor, std::string key, ErrorCode* code) {
      MetaTxn txn;
      txn.then.push_back(KvPut{key, ""});
      auto reply = co_await store.commit(std::move(txn), Deadline(reactor.now() + seconds(5)));
      *code = reply ? ErrorCode::kNone : reply.error().code;
    }
  };
  Gate gate(reactor_);
  ErrorCode first = ErrorCode::kInternal, second = ErrorCode::kInternal;
  spawn(gate, "first", Writer::write(*store_, reactor_, "a", &first));
  spawn(gate, "second", Writer::write(*store_, reactor_, "b", &second));
  reactor_.run();
  // One of them wrote, slowly; the other gave up waiting.
  EXPECT_EQ(first == ErrorCode::kNone, second == ErrorCode::kUnavailable);
  EXPECT_EQ(second == ErrorCode::kNone, first == ErrorCode::kUnavailable);
  EXPECT_EQ(keys("", prefix_end("")).size(), 1u);
}

TEST_F(KvMetaStoreTest, TransactionBeyondALimitIsRefusedWithTheFigures) {
  std::vector<KvBatch::Op> many(kMetaTxnOpsMax + 1, KvPut{"a", "1"});
  EXPECT_EQ(commit({}, many).error().code, ErrorCode::kInvalidArgument);
  std::vector<Compare> conditions(kMetaTxnOpsMax + 1, Compare::absent("a"));
  EXPECT_EQ(commit(conditions, {KvPut{"a", "1"}}).error().code, ErrorCode::kInvalidArgument);
  auto large = commit({}, {KvPut{"a", std::string(kMetaTxnBytesMax, 'x')}});
  EXPECT_EQ(large.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(large.error().detail.find("1572865 bytes, at most 1572864"), std::string::npos) << large.error().detail;
  commit({}, {KvPut{"a", std::string(kMetaTxnBytesMax - 1, 'x')}}).value();
}

TEST_F(KvMetaStoreTest, ChangesSinceARevisionAreTheKeysThatWereWritten) {
  commit({}, {KvPut{"a", "1"}}).value();
  commit({}, {KvPut{"b", "1"}, KvDelete{"a"}}).value();
  commit({}, {KvDeleteRange{"c", "d"}}).value();
  auto names = [](const Result<MetaChanges>& changes) {
    std::vector<std::string> found;
    for (const auto& keys : changes.value().keys) found.push_back(keys.begin + ":" + keys.end);
    return found;
  };
  auto changes = run(store_->changed_since(1, soon()));
  EXPECT_THAT(names(changes), ElementsAre("b:", "a:", "c:d"));
  EXPECT_EQ(changes->revision, 3);
  EXPECT_THAT(names(run(store_->changed_since(3, soon()))), ElementsAre());
  EXPECT_EQ(run(store_->changed_since(4, soon())).error().code, ErrorCode::kNotFound);
}

TEST_F(KvMetaStoreTest, ChangesOfLongAgoAreForgotten) {
  for (int i = 0; i < 50; ++i) {
    std::vector<KvBatch::Op> ops(kMetaTxnOpsMax, KvPut{"k", std::to_string(i)});
    commit({}, std::move(ops)).value();
  }
  EXPECT_EQ(run(store_->changed_since(0, soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(store_->changed_since(49, soon()))->keys.size(), kMetaTxnOpsMax);
}

TEST_F(KvMetaStoreTest, WatchersAreNotifiedAfterAWrite) {
  struct Watcher {
    static Task<void> watch(MetaStore& store, Reactor& reactor, bool* seen) {
      *seen = static_cast<bool>(co_await store.changes().wait(Deadline(reactor.now() + hours(1))));
    }
  };
  bool seen = false;
  Gate gate(reactor_);
  spawn(gate, "watcher", Watcher::watch(*store_, reactor_, &seen));
  commit({}, {KvPut{"a", "1"}}).value();
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace farshore
