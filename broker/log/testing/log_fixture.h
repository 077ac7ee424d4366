// LogTest: one log on a simulated host, and the steps that tests of this room repeat.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "broker/log/internal/log_format.h"
#include "broker/log/log.h"
#include "broker/log/testing/log_host.h"
#include "proto/batch/records.h"

namespace farshore::log_test {

struct LogTest : testing::Test {
  SlabArena arena;
  LogOptions options;
  std::unique_ptr<LogHost> host = std::make_unique<LogHost>();
  std::unique_ptr<Log> log;

  template <class T>
  T run(Task<T> task) {
    return host->run(std::move(task));
  }
  sim::SimDisk& disk() { return host->disk(); }

  Status open() {
    auto opened = run(open_log(host->env(), host->env().files(), arena, kDir, options));
    if (!opened) return std::move(opened).error();
    log = std::move(opened).value();
    return ok();
  }
  void SetUp() override { ASSERT_TRUE(open()); }
  void TearDown() override { close(); }
  void set_options() { log->set_options(options); }

  // Another host, with a log of these files. Only while the log is closed.
  void move_to_host(uint64_t seed, const LogHost::Files& files) {
    host = std::make_unique<LogHost>(seed);
    ASSERT_TRUE(run(host->env().files().make_dirs(kDir)));
    host->restore(files);
  }
  // Closes the log; the process lives on.
  void close() {
    if (log) (void)run(log->close());
    log.reset();
  }
  // The process dies; the page cache stays.
  void kill() {
    host->kill();
    log.reset();
  }
  Status reopen_clean() {
    close();
    host->start();
    return open();
  }
  Status reopen_killed() {
    kill();
    host->start();
    return open();
  }

  Result<AppendInfo> append(const BatchBuilder& batch, int32_t epoch = 0, AppendOrigin origin = AppendOrigin::kClient) {
    return run(log->append(batch.build_run(arena), origin, LogEpoch(epoch)));
  }
  void fill(int batches, int records = 2, int32_t epoch = 0) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(append(batch_of(records), epoch));
  }
  void commit() { log->set_high_watermark(log->ends().end); }
  // Base offsets of all batches from `from` on, read in slices of `bytes_max`.
  std::vector<int64_t> bases(int64_t from, size_t bytes_max = 1 << 20, ReadBound bound = ReadBound::kLogEnd) {
    std::vector<int64_t> found;
    for (;;) {
      auto batches = run(log->read_run(Offset(from), bound, bytes_max));
      EXPECT_TRUE(batches.has_value()) << (batches ? "" : batches.error().to_string());
      if (!batches || batches->empty()) return found;
      EXPECT_TRUE(verify_crc(*batches));
      for (const auto& header : batches->batches) found.push_back(header.base_offset);
      from = batches->next().value();
    }
  }

  // Paths of the log's files whose names end so.
  std::vector<std::string> files(std::string_view suffix) {
    std::vector<std::string> found;
    for (const auto& path : disk().files_under(kDir))
      if (path.ends_with(suffix)) found.push_back(path);
    return found;
  }
  static std::string path_of(std::string_view name) { return join_path(kDir, name); }
  static std::string path_of(Offset base, std::string_view suffix) {
    return path_of(log_format::file_name(base, suffix));
  }
  // Changes a file's contents behind the log's back, durably.
  void edit(const std::string& path, const std::function<void(std::string&)>& change) {
    std::string contents = disk().contents(path).value();
    change(contents);
    disk().put_contents(path, contents);
  }
};

}  // namespace farshore::log_test
