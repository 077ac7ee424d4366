// Random operations on one log. Its process dies before a random operation of the disk, sometimes with a power loss.
// After each death the log is opened again and compared with a model of what it promised.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file_cache.h"
#include "broker/log/log.h"
#include "broker/log/testing/log_host.h"

namespace farshore::log_test {
namespace {

struct Held {
  int64_t first, last;
  int32_t epoch;
  uint32_t crc;
  friend bool operator==(const Held&, const Held&) = default;
};
std::ostream& operator<<(std::ostream& out, const Held& h) {
  return out << "[" << h.first << ".." << h.last << " epoch " << h.epoch << "]";
}

class CrashRun {
 public:
  explicit CrashRun(uint64_t seed) : random_(seed), host_(seed) {
    if (random_.chance(0.7)) host_.disk().set_sector_bytes(1 + random_.below(100));
    options_.segment_bytes = random_.chance(0.5) ? 1500 : 1 << 20;
    options_.index_interval_bytes = 200;
    options_.retention_ms = -1;
  }

  void live_and_die(int lives) {
    for (int life = 0; life < lives && !testing::Test::HasFailure(); ++life) {
      SCOPED_TRACE("life " + std::to_string(life));
      host_.start();
      // The owner's: the directory of the log, if it is there, is durable.
      (void)host_.run(host_.env().files().sync_dir("/data"));
      if (random_.chance(0.2)) host_.die_at_operation(1 + random_.below(30));  // while it recovers
      // Few descriptors: files are closed, and opened again, between any two steps.
      files_ = std::make_unique<FileCache>(host_.env(), host_.env().files(), random_.chance(0.5) ? 2 : 1000);
      auto opened = host_.run(open_log(host_.env(), *files_, arena_, kDir, options_));
      if (host_.dead()) {
        crash();
        continue;
      }
      ASSERT_TRUE(opened) << opened.error().to_string();
      log_ = std::move(*opened);
      host_.disk().heal();
      ASSERT_NO_FATAL_FAILURE(compare());
      if (!random_.chance(0.1)) host_.die_at_operation(1 + random_.below(250));
      for (int i = 0; i < 60 && !host_.dead(); ++i) step();
      if (!host_.dead() && random_.chance(0.7)) {
        closed_ = run(log_->close()).has_value();
        if (closed_) flushed_ = end();
      }
      host_.kill();
      log_.reset();
      crash();
    }
  }

 private:
  template <class T>
  T run(Task<T> task) {
    return host_.run(std::move(task));
  }
  int64_t end() const { return model_.empty() ? start_base_ : std::max(model_.back().last + 1, start_base_); }

  void crash() {
    if (random_.chance(0.6)) {
      host_.power_off();
      power_lost_ = true;
    }
  }

  void step() {
    switch (random_.below(20)) {
      case 0:
        return flush();
      case 1:
        return truncate();
      case 2:
        return begin_epoch();
      case 3:
        return advance_start();
      case 4:
        if (random_.chance(0.3)) return reset();
        return flush();
      default:
        return append();
    }
  }

  void append() {
    BatchBuilder builder;
    bool mirror = random_.chance(0.3);
    int64_t base =
        log_->ends().end.value() + (mirror && random_.chance(0.3) ? static_cast<int64_t>(random_.below(5)) : 0);
    builder.base_offset(base);
    std::string value(random_.below(120), static_cast<char>('a' + random_.below(26)));
    for (uint64_t i = 0, n = 1 + random_.below(3); i < n; ++i)
      builder.add(next_ms_++, "k" + std::to_string(random_.next()), value);
    builder.leader_epoch(epoch_);
    auto batch = builder.build_run(arena_);
    Held held{base, batch.batches[0].last().value(), epoch_, batch.batches[0].crc};
    unsure_ = held;
    auto done =
        run(log_->append(std::move(batch), mirror ? AppendOrigin::kMirror : AppendOrigin::kClient, LogEpoch(epoch_)));
    if (!done) return;
    ASSERT_EQ(done->first.value(), base);
    unsure_.reset();
    model_.push_back(held);
    if (random_.chance(0.3)) log_->set_high_watermark(Offset(end()));
  }

  void flush() {
    if (run(log_->flush())) {
      flushed_ = end();
      EXPECT_EQ(log_->ends().flushed_end.value(), end());
    }
  }

  void truncate() {
    int64_t low = log_->ends().log_start.value();
    int64_t to = random_.between(low, end());
    auto kept = model_;
    std::erase_if(kept, [&](const Held& h) { return h.last >= to; });
    cut_to_ = lower_end(to);  // while it is under way, both may be found
    if (!run(log_->truncate_to(Offset(to), true))) return;
    if (kept.size() < model_.size() || to < end()) {
      start_base_ = log_->ends().end.value();
      if (cut_to_ > 0 && start_base_ != low) {
        EXPECT_GE(start_base_, cut_to_);
      }
      EXPECT_GE(start_base_, low);
      EXPECT_LE(start_base_, to);
    }
    cut_to_ = INT64_MAX;
    std::erase_if(kept, [&](const Held& h) { return h.last >= log_->ends().end.value(); });
    model_ = kept;
    flushed_ = std::min(flushed_, end());
    EXPECT_EQ(log_->ends().log_start.value(), low);
  }
  int64_t end_of_model() const { return model_.empty() ? 0 : model_.back().last + 1; }
  int64_t lower_end(int64_t to) const {
    int64_t low = 0;
    for (const auto& h : model_)
      if (h.last < to) low = h.last + 1;
    return low;
  }

  void begin_epoch() {
    ++epoch_;
    (void)run(log_->begin_epoch(LogEpoch(epoch_)));
  }

  void advance_start() {
    log_->set_high_watermark(Offset(end()));
    int64_t to = random_.between(log_->ends().log_start.value(), log_->ends().high_watermark.value());
    if (run(log_->advance_log_start(Offset(to)))) log_start_ = to;
  }

  void reset() {
    int64_t to = random_.between(0, end() + 10);
    reset_to_ = to;
    if (!run(log_->reset_to(Offset(to)))) return;
    reset_to_.reset();
    model_.clear();
    flushed_ = start_base_ = log_start_ = to;
  }

  // What the reopened log holds must be a prefix of the model, at least up to what was durable.
  void compare() {
    LogEnds ends = log_->ends();
    std::vector<Held> found;
    for (int64_t from = ends.log_start.value();;) {
      auto batches = run(log_->read_run(Offset(from), ReadBound::kLogEnd, 500));
      ASSERT_TRUE(batches.has_value()) << batches.error().to_string();
      if (batches->empty()) break;
      ASSERT_TRUE(verify_crc(*batches)) << "a torn batch is served";
      for (const auto& h : batches->batches) {
        found.push_back({h.base_offset, h.last().value(), h.partition_leader_epoch, h.crc});
        EXPECT_EQ(log_->epoch_at(std::max(h.first(), ends.log_start)), h.epoch()) << "at " << h.base_offset;
      }
      from = batches->next().value();
    }
    EXPECT_EQ(ends.flushed_end, ends.end) << "recovered data is durable";
    EXPECT_LE(ends.high_watermark, ends.end);
    EXPECT_TRUE(!closed_ || log_->recovery().clean);
    closed_ = false;
    if (reset_to_ && ends.log_start.value() == *reset_to_ && found.empty() && ends.end.value() == *reset_to_) {
      model_.clear();
      flushed_ = start_base_ = log_start_ = *reset_to_;
    }
    reset_to_.reset();
    if (unsure_ && !found.empty() && found.back() == *unsure_) model_.push_back(*unsure_);
    unsure_.reset();
    std::vector<Held> expected = model_;
    std::erase_if(expected, [&](const Held& h) { return h.last < ends.log_start.value(); });
    EXPECT_GE(ends.log_start.value(), log_start_);
    ASSERT_LE(found.size(), expected.size());
    expected.resize(found.size());
    EXPECT_EQ(found, expected) << "start " << ends.log_start.value() << " end " << ends.end.value() << " flushed "
                               << flushed_;
    // Without a power loss, everything that was appended is there.
    int64_t promised = std::min(power_lost_ ? flushed_ : std::max(flushed_, end_of_model()), cut_to_);
    EXPECT_GE(ends.end.value(), promised) << "data was lost";
    cut_to_ = INT64_MAX;
    power_lost_ = false;
    std::erase_if(model_, [&](const Held& h) { return h.last >= ends.end.value(); });
    start_base_ = ends.end.value();
    flushed_ = ends.end.value();
    log_start_ = ends.log_start.value();
    epoch_ = std::max(epoch_ + 1, log_->last_epoch().value());
    auto begun =
        random_.chance(0.5) ? log_->announce_epoch(LogEpoch(epoch_)) : run(log_->begin_epoch(LogEpoch(epoch_)));
    ASSERT_TRUE(begun) << begun.error().to_string();
  }

  Random random_;
  SlabArena arena_;  // outlives the frames of the host's processes
  LogHost host_;
  int64_t next_ms_ = host_.wall_ms();  // the timestamp of the next record
  LogOptions options_;
  std::unique_ptr<FileCache> files_;
  std::unique_ptr<Log> log_;
  std::vector<Held> model_;
  int64_t flushed_ = 0, start_base_ = 0, log_start_ = 0;
  int32_t epoch_ = 0;
  std::optional<Held> unsure_;
  std::optional<int64_t> reset_to_;
  int64_t cut_to_ = INT64_MAX;
  bool power_lost_ = false, closed_ = false;
};

TEST(LogCrash, LogKeepsItsInvariantsThroughKillsAndPowerLosses) {
  uint64_t first = 1, count = 400;
  if (const char* one = std::getenv("LOG_CRASH_SEED")) first = std::stoull(one), count = 1;
  if (const char* many = std::getenv("LOG_CRASH_SEEDS")) count = std::stoull(many);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("LOG_CRASH_SEED=" + std::to_string(seed));
    CrashRun(seed).live_and_die(12);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace farshore::log_test
