// CleanerTest: a compacted log, and what tests of the cleaner put into it and find in it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {

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
  void put_large(std::string_view key) {  // 512 KiB
    BatchBuilder batch;
    batch.add(host->wall_ms(), key, std::string(512 << 10, 'x'));
    ASSERT_TRUE(append(batch));
    commit();
  }
  void put_in_txn(int64_t producer, std::string_view key, std::string_view value) {
    BatchBuilder batch;
    batch.producer(producer, 0, sequences_[producer]++).transactional().add(host->wall_ms(), key, value);
    ASSERT_TRUE(append(batch));
  }
  void end_txn(int64_t producer, ControlType type) {
    BatchBuilder marker;
    marker.producer(producer, 0, -1).add_marker(type, 0, host->wall_ms());
    ASSERT_TRUE(append(marker, 0, AppendOrigin::kCoordinator));
  }
  Offset second_segment() {
    auto names = files(".log");
    return log_format::parse_file_name(std::string_view(names[1]).substr(names[1].rfind('/') + 1))->base;
  }
  static Task<void> wait_turns(Env& env, int count, int& turns) {
    for (; turns < count; ++turns) {
      Wait<void> turn(env);
      env.post([turn] { turn.complete(ok()); });
      (void)co_await turn.wait(Deadline::never());
    }
  }
  static Task<void> advance_after(Env& env, Log& log, Offset to, int turns, std::optional<Status>& moved) {
    int waited = 0;
    co_await wait_turns(env, turns, waited);
    moved = co_await log.advance_log_start(to);
  }
  void fill_segment() {  // so that what was put before is not in the active segment
    size_t logs = files(".log").size();
    while (files(".log").size() == logs) put("filler" + std::to_string(puts_), std::string(200, 'x'));
    commit();
  }
  // key -> {offset, value}, of every record that is there
  std::multimap<std::string, std::pair<int64_t, std::string>> records() {
    std::multimap<std::string, std::pair<int64_t, std::string>> found;
    for (int64_t from = log->ends().log_start.value();;) {
      auto batches = run(log->read_run(Offset(from), ReadBound::kLogEnd, 1 << 20)).value();
      if (batches.empty()) return found;
      EXPECT_TRUE(verify_crc(batches));
      size_t begin = 0;
      for (const auto& header : batches.batches) {
        auto reader = RecordReader::open(header, batches.bytes, begin).value();
        Record record;
        while (!header.control() && reader.next(record).value())
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
  std::map<int64_t, int32_t> sequences_;
};

}  // namespace farshore::log_test
