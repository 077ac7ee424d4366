// For this room's tests: an Env on one thread with a disk that forgets. Power loss keeps, drops, tears or garbles what
// was not synced; space can run out at any byte; the process can die at any operation.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "base/env.h"
#include "broker/log/log.h"
#include "proto/batch/builder.h"

namespace farshore::log_test {

struct Inode {
  std::string now, durable;
  struct Write {
    uint64_t position;
    std::string bytes;
    bool truncate = false;  // to `position`
  };
  std::vector<Write> unsynced;
};
using Names = std::map<std::string, std::shared_ptr<Inode>>;

// What survives a process; the tests' FileSystems share one.
struct Disk {
  Names names, durable_names;
  std::map<std::string, std::vector<std::pair<std::string, std::shared_ptr<Inode>>>> unsynced_names;  // by directory
  std::set<std::string> directories;
  uint64_t space = UINT64_MAX;

  uint64_t used() const;

  void set_name(const std::string& path, std::shared_ptr<Inode> inode);
  void power_loss(Random& random);
};

class TestEnv;

class TestFiles final : public FileSystem {
 public:
  TestFiles(TestEnv& env, Disk& disk) : env_(env), disk_(disk) {}
  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Status> make_dirs(std::string path) override;
  Task<Status> rename(std::string from, std::string to) override;
  Task<Status> remove(std::string path) override;
  Task<Status> remove_all(std::string path) override;
  Task<Result<std::vector<std::string>>> list(std::string path) override;
  Task<Result<bool>> exists(std::string path) override;
  Task<Status> sync_dir(std::string path) override;
  Task<Result<uint64_t>> free_bytes(std::string path) override;
  Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) override;

 private:
  TestEnv& env_;
  Disk& disk_;
};

class TestLogger final : public Logger {
 public:
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override {
    if (level >= LogLevel::kWarn) lines.push_back(format_log_line(event, fields));
  }
  bool enabled(LogLevel) const override { return false; }
  std::vector<std::string> lines;
};

class TestEnv final : public Env {
 public:
  explicit TestEnv(Disk& disk, uint64_t seed = 1) : random_(seed), files_(*this, disk) {}
  ~TestEnv() override {
    dead_ = true;
    waits().abandon_all();
    ready_.clear();
  }
  void post(Closure work) override { ready_.push_back(std::move(work)); }
  MonoTime now() override { return MonoTime(nanoseconds(wall_ms * 1000000)); }
  TimerId arm(MonoTime, std::function<void()>) override { return 1; }  // no test of this room waits for time
  void cancel(TimerId) override {}
  bool dead() const override { return dead_; }
  WallTime wall_now() override { return WallTime{wall_ms}; }
  Random& random() override { return random_; }
  Network& network() override { ensure(false, "a log needs no network"); }
  FileSystem& files() override { return files_; }
  Logger& log() override { return logger; }
  MetricRegistry& metrics() override { return metrics_; }

  // One operation of the file system: false once the process is dead.
  bool step() {
    ++steps;
    if (die_at != 0 && steps >= die_at) dead_ = true;
    return !dead_;
  }
  void kill() { dead_ = true; }
  void run() {
    while (!ready_.empty()) {
      Closure next = std::move(ready_.front());
      ready_.pop_front();
      next();
    }
  }

  int64_t wall_ms = 1'700'000'000'000;
  uint64_t steps = 0, die_at = 0;
  uint64_t fail_sync_at = 0, syncs = 0;  // the n-th sync fails with kIo
  TestLogger logger;

 private:
  std::deque<Closure> ready_;
  Random random_;
  TestFiles files_;
  MetricRegistry metrics_;
  bool dead_ = false;
};

template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

// Runs a task to its end and returns what it returned; nullopt if the process died first.
template <class T>
std::optional<T> try_run(TestEnv& env, Task<T> task) {
  std::optional<T> result;
  start(env, keep_result(std::move(task), result));
  env.run();
  return result;
}
template <class T>
T run(TestEnv& env, Task<T> task) {
  auto result = try_run(env, std::move(task));
  ensure(result.has_value(), "the task ends");
  return std::move(*result);
}

// A batch of `count` records whose values say where they belong.
inline BatchBuilder batch_of(int count, int64_t timestamp_ms = 1'700'000'000'000, std::string_view text = "value") {
  BatchBuilder builder;
  for (int i = 0; i < count; ++i)
    builder.add(timestamp_ms + i, "key" + std::to_string(i), std::string(text) + std::to_string(i));
  return builder;
}

}  // namespace farshore::log_test
