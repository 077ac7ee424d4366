#include "broker/log/internal/index_reader.h"

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct IndexReaderTest : LogTest {
  void SetUp() override {
    options.segment_bytes = 4000;
    options.index_interval_bytes = 0;
    ASSERT_TRUE(open());
  }
  size_t entries(Offset base) { return disk().contents(path_of(base, ".index")).value_or("").size() / 8; }
};

TEST_F(IndexReaderTest, EveryOffsetOfAFullSegmentIsFoundThroughItsIndexFile) {
  fill(100);
  const auto all = bases(0);
  ASSERT_EQ(all.size(), 100U);
  EXPECT_GT(entries(Offset(0)), 10U);
  for (int64_t base : all) {
    for (int64_t offset : {base, base + 1}) {
      auto slice = run(log->read(Offset(offset), ReadBound::kLogEnd, 1)).value();
      EXPECT_EQ(slice.first, Offset(base));
    }
  }
  EXPECT_TRUE(log->recovery().rebuilt.empty());
}

TEST_F(IndexReaderTest, ZerosAtTheEndOfAnIndexFileAreIgnored) {
  fill(100);
  ASSERT_TRUE(reopen_clean());
  close();
  edit(path_of(Offset(0), ".index"), [](std::string& text) { text.append(8 * 100, '\0'); });
  edit(path_of(Offset(0), ".timeindex"), [](std::string& text) { text.append(12 * 100, '\0'); });
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(run(log->read(Offset(3), ReadBound::kLogEnd, 1)).value().first, Offset(2));
  EXPECT_TRUE(run(log->offset_for_time(1'700'000'000'000)).value());
  EXPECT_TRUE(log->recovery().rebuilt.empty());
}

TEST_F(IndexReaderTest, IndexFileThatPointsToAnotherBatchIsMadeAgain) {
  fill(100);
  ASSERT_TRUE(reopen_clean());
  close();
  edit(path_of(Offset(0), ".index"), [](std::string& text) { text[text.size() / 16 * 8 + 3] ^= 1; });
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(bases(0).size(), 100U);
  for (int64_t offset = 0; offset < 30; ++offset)
    EXPECT_EQ(run(log->read(Offset(offset), ReadBound::kLogEnd, 1)).value().first, Offset(offset / 2 * 2));
}

TEST_F(IndexReaderTest, MissingIndexFilesAreMadeAgain) {
  fill(100);
  ASSERT_TRUE(reopen_clean());
  close();
  disk().erase(path_of(Offset(0), ".index"));
  disk().erase(path_of(Offset(0), ".timeindex"));
  host->start();
  ASSERT_TRUE(open());
  EXPECT_EQ(run(log->read(Offset(3), ReadBound::kLogEnd, 1)).value().first, Offset(2));
  EXPECT_GT(entries(Offset(0)), 10U);
  EXPECT_EQ(log->recovery().rebuilt.size(), 1U);
}

TEST_F(IndexReaderTest, IndexesOfAFullSegmentLeaveTheMemoryWhenTheLogRolls) {
  fill(100);
  disk().erase(path_of(Offset(0), ".index"));
  EXPECT_EQ(run(log->read(Offset(3), ReadBound::kLogEnd, 1)).value().first, Offset(2));
  EXPECT_EQ(log->recovery().rebuilt.size(), 1U) << "the file was asked, not the memory";
}

Task<void> find_later(Env& env, Log& log, int64_t timestamp_ms, Duration after) {
  co_await env.sleep(after);
  auto found = co_await log.offset_for_time(timestamp_ms);
  EXPECT_TRUE(found && *found);
}

TEST_F(IndexReaderTest, IndexesThatSeveralReadersMakeAgainAtTheSameTimeAreWhole) {
  fill(100);
  ASSERT_TRUE(reopen_clean());
  close();
  const std::string offsets = path_of(Offset(0), ".index"), times = path_of(Offset(0), ".timeindex");
  const LogHost::Files before = host->files();
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    move_to_host(seed, before);
    disk().erase(offsets);
    disk().erase(times);
    ASSERT_TRUE(open());
    disk().set_instant(false);
    disk().set_slow(microseconds(10), microseconds(300));
    for (int i = 0; i < 4; ++i)
      host->world().spawn(host->env(), find_later(host->env(), *log, 1'700'000'000'000, microseconds(i * 100)));
    host->world().run_for(seconds(1));
    disk().set_instant(true);
    EXPECT_EQ(disk().contents(offsets)->size(), before.at(offsets).size()) << seed;
    EXPECT_EQ(disk().contents(times)->size(), before.at(times).size()) << seed;
    close();
  }
}

}  // namespace
}  // namespace farshore::log_test
