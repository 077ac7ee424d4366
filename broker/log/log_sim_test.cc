// One log in the simulator, used by a writer, readers and a flusher at the same time. Its process is killed at any
// resumption, sometimes with a power loss. After each death the log is compared with a model of what it promised.
#include <gtest/gtest.h>

#include "base/file_cache.h"
#include "base/sim/disk.h"
#include "base/sim/world.h"
#include "broker/log/log.h"
#include "proto/batch/builder.h"

namespace farshore::log_test {
namespace {

constexpr const char* kDir = "/data/t-0";

struct Held {
  int64_t last;
  int32_t epoch;
  uint32_t crc;
  friend bool operator==(const Held&, const Held&) = default;
};
std::ostream& operator<<(std::ostream& out, const Held& h) {
  return out << "[.." << h.last << " epoch " << h.epoch << " crc " << h.crc << "]";
}

// What the log promised, across the lives of its process.
struct Promises {
  std::map<int64_t, Held> batches;  // by base offset
  std::map<int64_t, Held> maybe;    // an unfinished operation may have added these
  int64_t cut_to = INT64_MAX;       // an unfinished truncation may have left only what is below
  int64_t flushed = 0, log_start = 0, start_maybe = 0;
  int32_t epoch = 0;
  bool power_lost = false;
  int lives = 0;
  uint64_t reads = 0, appends = 0, truncations = 0;

  int64_t end() const { return batches.empty() ? 0 : batches.rbegin()->second.last + 1; }
  int64_t end_below(int64_t to) const {
    int64_t low = 0;
    for (const auto& [base, h] : batches)
      if (h.last < to) low = h.last + 1;
    return low;
  }
};

class Life {
 public:
  Life(sim::SimEnv& env, Promises& promises, LogOptions options)
      : env_(env),
        files_(env, env.files(), descriptors(++promises.lives)),
        random_(env.random().fork()),
        p_(promises),
        options_(options) {}

  Task<void> run() {
    (void)co_await env_.files().make_dirs("/data");  // the owner's, durable
    (void)co_await env_.files().sync_dir("/");
    (void)co_await env_.files().sync_dir("/data");
    auto opened = co_await open_log(env_, files_, arena_, kDir, options_);
    EXPECT_TRUE(opened) << opened.error().to_string();
    if (!opened) co_return;
    log_ = std::move(*opened);
    co_await compare();
    if (testing::Test::HasFailure()) co_return;
    env_.world().spawn(env_, readers());
    env_.world().spawn(env_, readers());
    env_.world().spawn(env_, flusher());
    for (int i = 0; i < 150; ++i) {
      switch (random_.below(24)) {
        case 0:
          co_await truncate();
          break;
        case 1:
          co_await new_epoch();
          break;
        case 2:
          co_await advance_start();
          break;
        case 3:
          (void)co_await log_->apply_retention();
          break;
        case 4:
          co_await env_.sleep(milliseconds(random_.below(20)));
          break;
        default:
          co_await append();
      }
    }
    done_ = true;
    while (others_ > 0) co_await env_.sleep(milliseconds(1));
    auto closed = co_await log_->close();
    EXPECT_TRUE(closed) << closed.error().to_string();
    p_.flushed = p_.end();
  }

 private:
  Task<void> append() {
    BatchBuilder builder;
    const bool mirror = random_.chance(0.3);
    int64_t base = log_->ends().end.value();
    if (mirror && random_.chance(0.3)) base += static_cast<int64_t>(random_.below(5));
    builder.base_offset(base).leader_epoch(p_.epoch);
    for (uint64_t i = 0, n = 1 + random_.below(3); i < n; ++i)
      builder.add(env_.wall_now().milliseconds_since_epoch, std::to_string(random_.next()),
                  std::string(random_.below(random_.chance(0.1) ? 3000 : 150), 'v'));
    BatchRun run = builder.build_run(arena_);
    const Held held{run.batches[0].last().value(), p_.epoch, run.batches[0].crc};
    p_.maybe[base] = held;
    auto origin = mirror ? AppendOrigin::kMirror : AppendOrigin::kClient;
    auto done = co_await log_->append(std::move(run), origin, LogEpoch(p_.epoch));
    EXPECT_TRUE(done) << done.error().to_string();
    if (!done) co_return;
    EXPECT_EQ(done->first.value(), base);
    p_.maybe.clear();
    p_.batches[base] = held;
    ++p_.appends;
    if (random_.chance(0.5)) log_->set_high_watermark(Offset(p_.end()));
  }

  Task<void> truncate() {
    const LogEnds ends = log_->ends();
    const int64_t to = random_.between(std::max(ends.log_start.value(), ends.end.value() - 30), ends.end.value());
    p_.cut_to = std::max(p_.end_below(to), ends.log_start.value());
    ++cuts_;
    auto done = co_await log_->truncate_to(Offset(to), true);
    EXPECT_TRUE(done) << done.error().to_string();
    std::erase_if(p_.batches, [&](const auto& b) { return b.second.last >= to; });
    p_.flushed = std::min(p_.flushed, log_->ends().end.value());
    p_.cut_to = INT64_MAX;
    ++p_.truncations;
  }

  Task<void> new_epoch() {
    ++p_.epoch;
    auto begun = co_await log_->begin_epoch(LogEpoch(p_.epoch));
    EXPECT_TRUE(begun) << begun.error().to_string();
  }

  Task<void> advance_start() {
    const LogEnds ends = log_->ends();
    const int64_t to = random_.between(ends.log_start.value(), ends.high_watermark.value());
    p_.start_maybe = to;
    auto done = co_await log_->advance_log_start(Offset(to));
    EXPECT_TRUE(done) << done.error().to_string();
    p_.log_start = to;
  }

  Task<void> flusher() {
    ++others_;
    while (!done_) {
      co_await env_.sleep(milliseconds(random_.below(8)));
      const int64_t end = p_.end(), cuts = p_.cut_to == INT64_MAX ? cuts_ : -1;
      auto flushed = co_await log_->flush();
      EXPECT_TRUE(flushed) << flushed.error().to_string();
      if (cuts == cuts_ && p_.cut_to == INT64_MAX) {
        p_.flushed = std::max(p_.flushed, end);
        EXPECT_GE(log_->ends().flushed_end.value(), end);
      }
    }
    --others_;
  }

  // Every batch that is read is whole, valid, and was appended.
  Task<void> readers() {
    ++others_;
    while (!done_) {
      if (random_.chance(0.2)) co_await env_.sleep(milliseconds(random_.below(3)));
      const LogEnds ends = log_->ends();
      const int64_t from = random_.between(ends.log_start.value(), ends.end.value());
      const int64_t cuts = p_.cut_to == INT64_MAX ? cuts_ : -1;  // -1: a cut is under way
      auto batches = co_await log_->read_run(Offset(from), ReadBound::kLogEnd, 1 + random_.below(4000));
      if (!batches) {
        auto code = batches.error().code;
        EXPECT_TRUE(code == ErrorCode::kOutOfRange || (code == ErrorCode::kConflict && cuts != cuts_))
            << batches.error().to_string();
      } else if (cuts == cuts_ && p_.cut_to == INT64_MAX) {
        ++p_.reads;
        EXPECT_TRUE(verify_crc(*batches));
        for (const auto& h : batches->batches) expect_known(h);
        EXPECT_TRUE(batches->empty() || batches->next().value() > from);
        EXPECT_TRUE(from >= std::min(p_.end(), ends.end.value()) || !batches->empty()) << from;
      }
      auto time = co_await log_->offset_for_time(env_.wall_now().milliseconds_since_epoch - 5);
      EXPECT_TRUE(time || cuts != cuts_) << time.error().to_string();
      co_await env_.yield();
    }
    --others_;
  }

  void expect_known(const BatchHeader& h) {
    const Held found{h.last().value(), h.partition_leader_epoch, h.crc};
    for (const auto* known : {&p_.batches, &p_.maybe}) {
      auto at = known->find(h.base_offset);
      if (at == known->end()) continue;
      EXPECT_EQ(found, at->second) << "at " << h.base_offset;
      return;
    }
  }

  Task<void> compare() {
    const LogEnds ends = log_->ends();
    std::map<int64_t, Held> found;
    for (Offset from = ends.log_start;;) {
      auto batches = co_await log_->read_run(from, ReadBound::kLogEnd, 700);
      EXPECT_TRUE(batches) << batches.error().to_string();
      if (!batches || batches->empty()) break;
      EXPECT_TRUE(verify_crc(*batches)) << "a torn batch is served";
      for (const auto& h : batches->batches) {
        found[h.base_offset] = {h.last().value(), h.partition_leader_epoch, h.crc};
        EXPECT_EQ(log_->epoch_at(std::max(h.first(), ends.log_start)), h.epoch()) << "at " << h.base_offset;
      }
      from = batches->next();
    }
    EXPECT_GE(ends.log_start.value(), p_.log_start);
    EXPECT_LE(ends.log_start.value(), std::max({p_.log_start, p_.start_maybe, ends.end.value()}));
    EXPECT_EQ(ends.flushed_end, ends.end);
    std::map<int64_t, Held> expected = p_.batches;
    for (const auto& [base, held] : p_.maybe)
      if (found.count(base)) expected[base] = held;
    std::erase_if(expected, [&](const auto& b) {
      return b.second.last < ends.log_start.value() || b.second.last >= ends.end.value();
    });
    EXPECT_EQ(found, expected);
    const int64_t promised = std::min(p_.power_lost ? p_.flushed : std::max(p_.flushed, p_.end()), p_.cut_to);
    EXPECT_GE(ends.end.value(), promised) << "data was lost";
    p_.batches = found;
    p_.maybe.clear();
    p_.cut_to = INT64_MAX;
    p_.power_lost = false;
    p_.flushed = ends.end.value();
    p_.log_start = p_.start_maybe = ends.log_start.value();
    p_.epoch = std::max(p_.epoch, log_->last_epoch().value());
    co_await new_epoch();
  }

  sim::SimEnv& env_;
  static size_t descriptors(int life) {
    if (life % 2 == 0) return 2;
    return 1000;
  }
  FileCache files_;
  Random random_;
  Promises& p_;
  LogOptions options_;
  SlabArena arena_;
  std::unique_ptr<Log> log_;
  int others_ = 0;
  int64_t cuts_ = 0;
  bool done_ = false;
};

TEST(LogSim, LogKeepsItsInvariantsUnderConcurrentUse) {
  uint64_t first = 1, count = 60;
  if (const char* one = std::getenv("LOG_SIM_SEED")) first = std::stoull(one), count = 1;
  if (const char* many = std::getenv("LOG_SIM_SEEDS")) count = std::stoull(many);
  uint64_t reads = 0, truncations = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("LOG_SIM_SEED=" + std::to_string(seed));
    sim::SimOptions how;
    how.seed = seed;
    sim::SimWorld world(how);
    Promises promises;
    LogOptions options;
    options.segment_bytes = world.random().chance(0.6) ? 3000 : 1 << 20;
    options.index_interval_bytes = 300;
    options.retention_ms = -1;
    for (int life = 0; life < 8 && !HasFailure(); ++life) {
      SCOPED_TRACE("life " + std::to_string(life));
      sim::SimEnv& env = world.start_process("host", "log");
      auto held = std::make_shared<Life>(env, promises, options);
      Life* process = held.get();
      env.hold(std::move(held));
      const bool kill = world.random().chance(0.85);
      bool killed = false;
      if (kill) {
        env.at_resumption(1 + world.random().below(world.random().chance(0.3) ? 100 : 4000), [&] {
          killed = true;
          world.kill(env);
        });
      }
      world.run(env, process->run(), seconds(600));
      if (!env.dead()) world.kill(env);
      if (world.random().chance(0.6)) {
        world.power_off("host");
        promises.power_lost = true;
      }
      EXPECT_EQ(world.failure(), "");
    }
    reads += promises.reads;
    truncations += promises.truncations;
    if (HasFailure()) {
      world.print(stderr);
      return;
    }
  }
  EXPECT_GT(reads, count * 10);
  EXPECT_GT(truncations, count);
}

}  // namespace
}  // namespace farshore::log_test
