// For this room's tests: one log in a directory, and what tests do with it again and again.
#pragma once

#include "broker/log/log_format.h"
#include "broker/log/test_disk.h"

namespace farshore::log_test {

inline constexpr const char* kDir = "/data/t-0";

struct LogTest : testing::Test {
  Disk disk;
  SlabArena arena;
  LogOptions options;
  std::unique_ptr<TestEnv> env = std::make_unique<TestEnv>(disk);
  std::unique_ptr<Log> log;

  Status open() {
    auto opened = run(*env, open_log(*env, arena, kDir, options));
    if (!opened) return std::move(opened).error();
    log = std::move(opened).value();
    return ok();
  }
  void SetUp() override { ASSERT_TRUE(open()); }
  void TearDown() override { stop(); }
  void stop() {
    if (log) (void)run(*env, log->close());
    log.reset();
  }
  Status reopen_clean() {
    stop();
    env = std::make_unique<TestEnv>(disk);
    return open();
  }
  // The process dies; the page cache stays.
  Status reopen_killed() {
    env->kill();
    log.reset();
    env = std::make_unique<TestEnv>(disk);
    return open();
  }
  Result<AppendInfo> append(const BatchBuilder& batch, int32_t epoch = 0, AppendOrigin origin = AppendOrigin::kClient) {
    return run(*env, log->append(batch.build_run(arena), origin, LogEpoch(epoch)));
  }
  void fill(int batches, int records = 2, int32_t epoch = 0) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(append(batch_of(records), epoch));
  }
  void commit() { log->set_high_watermark(log->ends().end); }
  // Base offsets of everything from `from` on, read in slices of `bytes_max`.
  std::vector<int64_t> bases(int64_t from, size_t bytes_max = 1 << 20, ReadBound bound = ReadBound::kLogEnd) {
    std::vector<int64_t> found;
    for (;;) {
      auto batches = run(*env, log->read_run(Offset(from), bound, bytes_max));
      EXPECT_TRUE(batches.has_value()) << (batches ? "" : batches.error().to_string());
      if (!batches || batches->empty()) return found;
      EXPECT_TRUE(verify_crc(*batches));
      for (const auto& header : batches->batches) found.push_back(header.base_offset);
      from = batches->next().value();
    }
  }
  std::string& content(Offset base, std::string_view suffix) {
    return disk.names.at(std::string(kDir) + "/" + log_format::file_name(base, suffix))->now;
  }
  std::string& content(std::string_view name) {
    return disk.names.at(std::string(kDir) + "/" + std::string(name))->now;
  }
  // Everything the process wrote is on the platter, and stays there.
  void settle() {
    for (auto& [name, inode] : disk.names) {
      inode->durable = inode->now;
      inode->unsynced.clear();
    }
    disk.durable_names = disk.names;
    disk.unsynced_names.clear();
  }
  std::vector<std::string> files(std::string_view suffix) {
    std::vector<std::string> found;
    for (const auto& [name, inode] : disk.names)
      if (name.ends_with(suffix)) found.push_back(name);
    return found;
  }
};

}  // namespace farshore::log_test
