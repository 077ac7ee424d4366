// For tests: an internal topic in memory. It outlives the processes that use it. Appends and commits take time; faults
// can be switched on.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/event.h"
#include "broker/coordinator/internal_topics.h"
#include "proto/batch/builder.h"

namespace farshore::broker {

// Data on the disk of a broker: it survives the broker.
struct FakeDisk {
  struct Partition {
    std::vector<std::vector<std::byte>> batches;
    Offset end, committed;
  };
  int32_t partition_count = 0;
  std::map<int32_t, Partition> partitions;
  std::optional<Error> append_error, open_error;  // given to every append, every open
  bool hold_commits = false;                      // nothing is committed while set
  size_t appends = 0;

  // Power loss: what was not committed is gone.
  void forget_uncommitted() {
    for (auto& [index, partition] : partitions) {
      while (!partition.batches.empty() && partition.end > partition.committed) {
        auto header = BatchHeader::parse(partition.batches.back());
        partition.end = header->first();
        partition.batches.pop_back();
      }
    }
  }
};

class FakeLog final : public CoordinatorLog {
 public:
  FakeLog(Env& env, SlabArena& arena, FakeDisk& disk, int32_t index)
      : env_(env), arena_(arena), disk_(disk), partition_(disk.partitions[index]) {
    partition_.committed = partition_.end;  // one node: a start commits what it has
  }

  Task<Result<Offset>> append(BatchRun run) override {
    if (disk_.append_error) co_return *disk_.append_error;
    ++disk_.appends;
    size_t begin = 0;
    Offset last;
    for (size_t i = 0; i < run.batches.size(); ++i) {
      const size_t size = run.batches[i].size_bytes();
      stamp(run, i, begin, partition_.end, LogEpoch(1));
      std::vector<std::byte> bytes(size);
      run.bytes.copy_out(begin, bytes);
      last = run.batches[i].last();
      partition_.end = run.batches[i].next();
      partition_.batches.push_back(std::move(bytes));
      begin += size;
    }
    co_await env_.sleep(microseconds(50));
    co_return last;
  }

  Task<Status> wait_committed(Offset last, Deadline deadline) override {
    while (partition_.committed <= last) {
      if (deadline.passed(env_.now())) co_return Error(ErrorCode::kTimedOut);
      co_await env_.sleep(milliseconds(1));
      if (!disk_.hold_commits) partition_.committed = partition_.end;
    }
    co_return ok();
  }

  LogEnds ends() const override {
    LogEnds ends;
    ends.end = ends.flushed_end = partition_.end;
    ends.high_watermark = ends.last_stable = partition_.committed;
    return ends;
  }

  Task<Result<BatchRun>> read(Offset from, size_t bytes_max) override {
    co_await env_.sleep(milliseconds(1));
    std::vector<std::byte> bytes;
    for (const auto& batch : partition_.batches) {
      auto header = BatchHeader::parse(batch);
      if (header->next() <= from) continue;
      if (!bytes.empty() && bytes.size() + batch.size() > bytes_max) break;
      bytes.insert(bytes.end(), batch.begin(), batch.end());
    }
    co_return bytes.empty() ? BatchRun() : run_of(arena_, bytes);
  }

 private:
  Env& env_;
  SlabArena& arena_;
  FakeDisk& disk_;
  FakeDisk::Partition& partition_;
};

class FakeTopics final : public InternalTopics {
 public:
  FakeTopics(Env& env, SlabArena& arena, FakeDisk& disk) : env_(env), arena_(arena), disk_(disk) {}
  int32_t partition_count(const std::string&) const override { return disk_.partition_count; }
  Task<Result<int32_t>> ensure_topic(InternalTopic topic, Deadline) override {
    co_await env_.sleep(milliseconds(1));
    if (disk_.open_error) co_return *disk_.open_error;
    if (disk_.partition_count == 0) disk_.partition_count = topic.partitions;
    co_return disk_.partition_count;
  }
  Task<Result<std::shared_ptr<CoordinatorLog>>> open(std::string, int32_t partition, Deadline) override {
    co_await env_.sleep(milliseconds(1));
    if (disk_.open_error) co_return *disk_.open_error;
    std::shared_ptr<CoordinatorLog> log = std::make_shared<FakeLog>(env_, arena_, disk_, partition);
    co_return log;
  }

 private:
  Env& env_;
  SlabArena& arena_;
  FakeDisk& disk_;
};

}  // namespace farshore::broker
