#include "broker/log/internal/cleaner.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct CleanerTest : LogTest {
  void SetUp() override {
    options.cleanup_policy = CleanupPolicy::kCompact;
    options.segment_bytes = 600;
    options.min_cleanable_ratio = 0.01;
    options.delete_retention_ms = 1000;
    ASSERT_TRUE(open());
  }
  void put(std::string_view key, std::optional<std::string_view> value) {
    BatchBuilder batch;
    batch.add(host->wall_ms(), key, value).compression(Compression::kLz4);
    ASSERT_TRUE(append(batch));
    ++puts_;
  }
  void fill_segment() {  // so that what was put before is not in the active segment
    size_t logs = files(".log").size();
    while (files(".log").size() == logs) put("filler" + std::to_string(puts_), std::string(200, 'x'));
    commit();
  }
  // key -> {offset, value}, of every record that is there
  std::multimap<std::string, std::pair<int64_t, std::string>> records() {
    std::multimap<std::string, std::pair<int64_t, std::string>> found;
    for (int64_t from = 0;;) {
      auto batches = run(log->read_run(Offset(from), ReadBound::kLogEnd, 1 << 20)).value();
      if (batches.empty()) return found;
      EXPECT_TRUE(verify_crc(batches));
      size_t begin = 0;
      for (const auto& header : batches.batches) {
        auto reader = RecordReader::open(header, batches.bytes, begin).value();
        Record record;
        while (reader.next(record).value())
          found.emplace(*record.key, std::pair(record.offset.value(), std::string(record.value.value_or("<null>"))));
        begin += header.size_bytes();
      }
      from = batches.next().value();
    }
  }
  std::vector<std::string> values(const std::string& key) {
    std::vector<std::string> all;
    auto found = records();
    for (auto [at, end] = found.equal_range(key); at != end; ++at)
      all.push_back(std::to_string(at->second.first) + "=" + at->second.second);
    return all;
  }
  int puts_ = 0;
};

TEST_F(CleanerTest, LatestValueOfEachKeyStaysAtItsOffset) {
  for (int i = 0; i < 20; ++i) put("a", "a" + std::to_string(i));
  put("b", "b");
  fill_segment();
  const int64_t end = log->ends().end.value();
  size_t logs = files(".log").size();
  EXPECT_GT(run(log->clean()).value(), 0U);
  EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
  EXPECT_EQ(values("b"), std::vector<std::string>{"20=b"});
  EXPECT_EQ(log->ends().end, Offset(end));
  EXPECT_EQ(bases(0).front(), 19) << "a reader finds the next batch after the gap";
  EXPECT_EQ(run(log->clean()).value(), 0U) << "nothing is dirty";
  EXPECT_EQ(files(".log").size(), logs);
  for (bool clean : {true, false}) {
    ASSERT_TRUE(clean ? reopen_clean() : reopen_killed());
    EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
    EXPECT_EQ(log->ends().end, Offset(end));
    EXPECT_EQ(files(".cleaned").size() + files("intent").size(), 0U);
  }
  logs = files(".log").size();
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_LT(files(".log").size(), logs) << "small segments become one";
  EXPECT_EQ(values("a"), std::vector<std::string>{"19=a19"});
}

TEST_F(CleanerTest, TombstoneStaysForDeleteRetention) {
  put("a", "old");
  put("a", std::nullopt);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(values("a"), std::vector<std::string>{"1=<null>"});
  host->pass_wall_ms(999);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_EQ(values("a"), std::vector<std::string>{"1=<null>"});
  host->pass_wall_ms(2);
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  EXPECT_TRUE(values("a").empty());
}

TEST_F(CleanerTest, LastBatchHeaderOfEachProducerStays) {
  for (int i = 0; i < 3; ++i) {
    BatchBuilder batch;
    batch.producer(44, 1, i).add(host->wall_ms(), "k", "v" + std::to_string(i));
    ASSERT_TRUE(append(batch));
  }
  put("k", "newest");
  fill_segment();
  ASSERT_TRUE(run(log->clean()));
  auto batches = run(log->read_run(Offset(0), ReadBound::kLogEnd, 1 << 20)).value();
  EXPECT_EQ(batches.batches[0].producer_id, 44);
  EXPECT_EQ(batches.batches[0].record_count, 0);
  EXPECT_EQ(batches.batches[0].last_sequence(), 2);
  EXPECT_EQ(values("k"), std::vector<std::string>{"3=newest"});
  for (const auto& name : files(".snapshot")) disk().erase(name);
  ASSERT_TRUE(reopen_killed());
  EXPECT_EQ(log->producers().at(0).last_sequence, 2) << "from the header alone";
}

TEST_F(CleanerTest, LogWithTransactionsIsRefused) {
  put("a", "1");
  BatchBuilder batch;
  batch.producer(1, 0, 0).transactional().add(host->wall_ms(), "a", "2");
  ASSERT_TRUE(append(batch));
  BatchBuilder marker;
  marker.producer(1, 0, -1).add_marker(ControlType::kAbort, 0, host->wall_ms());
  ASSERT_TRUE(append(marker, 0, AppendOrigin::kCoordinator));
  fill_segment();
  EXPECT_EQ(run(log->clean()).error(), ErrorCode::kUnsupported);
  EXPECT_EQ(bases(0).size(), static_cast<size_t>(log->ends().end.value()));
}

TEST_F(CleanerTest, NothingIsCleanedAboveTheHighWatermarkOrOnAMirror) {
  put("a", "1");
  put("a", "2");
  for (int i = 0; i < 20; ++i) put("b" + std::to_string(i), std::string(100, 'x'));
  EXPECT_EQ(run(log->clean()).value(), 0U);
  commit();
  options.follows_source = true;
  set_options();
  EXPECT_EQ(run(log->clean()).value(), 0U);
  options.follows_source = false;
  set_options();
  EXPECT_GT(run(log->clean()).value(), 0U);
}

TEST_F(CleanerTest, CrashAtAnyStepLeavesTheOldOrTheNewSegments) {
  for (int i = 0; i < 12; ++i) put("a", "a" + std::to_string(i));
  fill_segment();
  ASSERT_TRUE(reopen_clean());
  close();
  const LogHost::Files before = host->files();
  bool finished = false;
  int changed = 0;
  for (uint64_t step = 1; !finished; ++step) {
    for (bool power_loss : {false, true}) {
      host->restore(before);
      host->start();
      ASSERT_TRUE(open());
      commit();
      host->die_at_operation(step);
      finished = run(log->clean()).has_value();
      kill();
      if (power_loss) host->power_off();
      host->start();
      auto opened = open();
      ASSERT_TRUE(opened) << step << " " << opened.error().to_string();
      auto left = values("a");
      ASSERT_TRUE(!left.empty() && left.size() <= 12) << step << ": " << left.size();
      EXPECT_EQ(left.back(), "11=a11");  // groups are swapped one by one; the latest is always there
      changed += left.size() == 1;
      EXPECT_EQ(files(".cleaned").size() + files("intent").size(), 0U) << step;
      kill();
    }
  }
  EXPECT_GT(changed, 2);
}

}  // namespace
}  // namespace farshore::log_test
