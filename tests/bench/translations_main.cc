// bench_translations: what the translation of very many runs costs in the gateway's store (RocksDB) and in
// libfarshore's (memory): bytes of a run on disk and in memory, the time to open, and the time of a look-up. Prints one
// JSON line and asserts nothing; tests/bench/scale puts the figures beside their goals.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/gate.h"
#include "base/memory_kv.h"
#include "base/real/env.h"
#include "base/rocksdb/kv.h"
#include "offsets/store/translation_store.h"

namespace farshore::bench {
namespace {

struct Wanted {
  std::string directory;  // empty: in memory
  int64_t runs = 10'000'000;
  int32_t keys = 10;
  int64_t look_ups = 1'000'000;
  uint64_t seed = 1;
};

struct Figures {
  double fill_s = 0, open_s = 0, to_target_us = 0, to_source_us = 0, disk_bytes = 0, memory_bytes = 0;
};

LinkPartition key_of(int32_t n) {
  LinkPartition key;
  Uuid link, topic;
  link.bytes.fill(0x11);
  topic.bytes.fill(0x22);
  key.link = LinkId(link);
  key.source_topic = SourceTopicId(topic);
  key.partition = PartitionId(n);
  return key;
}

double seconds_between(MonoTime begin, MonoTime end) { return std::chrono::duration<double>(end - begin).count(); }

double resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    double kib = 0;
    status >> kib;
    return kib * 1024;
  }
  return 0;
}

double directory_bytes(const std::string& directory) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  return bytes;
}

// Runs of 1 to 200 records, with gaps of up to 20 at the source and of 1 to 3 at the target, as commits of others and
// markers leave them. The same seed gives the same runs.
class RunSource {
 public:
  explicit RunSource(uint64_t seed) : random_(seed) {}
  TranslationRun next() {
    TranslationRun run = last_;
    run.source = last_.source_end() + random_.between(0, 20);
    run.target = last_.target_end() + random_.between(1, 3);
    run.length = random_.between(1, 200);
    run.source_epoch = LogEpoch(1);
    run.target_epoch = LeadershipEpoch(2);
    last_ = run;
    return run;
  }

 private:
  Random random_;
  TranslationRun last_;
};

class TranslationBench {
 public:
  TranslationBench(RealEnv& env, Wanted wanted) : env_(env), wanted_(std::move(wanted)) {}

  Task<Status> run() {
    const int64_t runs_of_key = wanted_.runs / wanted_.keys;
    double before = resident_bytes();
    CO_CHECK(co_await open());
    const MonoTime begin = env_.now();
    Gate gate(env_);
    ends_.resize(static_cast<size_t>(wanted_.keys));
    for (int32_t n = 0; n < wanted_.keys; ++n) spawn(gate, "fill", fill(n, runs_of_key));
    co_await gate.close();
    CO_CHECK(failure_);
    figures.fill_s = seconds_between(begin, env_.now());
    if (!wanted_.directory.empty()) {
      close();
      before = resident_bytes();
    }
    const MonoTime opening = env_.now();
    CO_CHECK(co_await open());
    for (int32_t n = 0; n < wanted_.keys; ++n) CO_CHECK(co_await look_up(n, 0));
    figures.open_s = seconds_between(opening, env_.now());
    figures.memory_bytes = resident_bytes() - before;
    if (!wanted_.directory.empty()) figures.disk_bytes = directory_bytes(wanted_.directory);
    CO_CHECK(co_await time_look_ups());
    close();
    co_return ok();
  }

  Figures figures;

 private:
  void close() {
    store_.reset();
    kv_.reset();
  }
  Task<Status> open() {
    if (store_) co_return ok();
    if (wanted_.directory.empty()) {
      kv_ = std::make_unique<MemoryKv>();
    } else {
      RocksKvOpener opener(env_);
      CO_TRY(kv_, co_await opener.open(wanted_.directory));
    }
    store_ = std::make_unique<offsets::TranslationStore>(*kv_);
    co_return ok();
  }
  Task<void> fill(int32_t n, int64_t runs) {
    RunSource source(wanted_.seed + static_cast<uint64_t>(n));
    const LinkPartition key = key_of(n);
    TranslationRun run;
    for (int64_t i = 0; i < runs && failure_; ++i) {
      run = source.next();
      auto put = co_await store_->put_run(key, run);
      if (!put) failure_ = Status(put.error());
    }
    ends_[static_cast<size_t>(n)] = run;
  }
  Task<Status> look_up(int32_t n, int64_t offset) {
    auto found = co_await store_->to_target(key_of(n), SourceOffset(offset), std::nullopt);
    if (!found && found.error() != ErrorCode::kOutOfRange) co_return std::move(found).error();
    co_return ok();
  }
  Task<Status> time_look_ups() {
    Random random(wanted_.seed);
    std::vector<std::pair<int32_t, int64_t>> places;
    for (int64_t i = 0; i < wanted_.look_ups; ++i) {
      const auto n = static_cast<int32_t>(random.between(0, wanted_.keys - 1));
      places.emplace_back(n, random.between(0, ends_[static_cast<size_t>(n)].source.value()));
    }
    MonoTime begin = env_.now();
    for (const auto& [n, offset] : places) CO_CHECK(co_await look_up(n, offset));
    const auto count = static_cast<double>(places.size());
    figures.to_target_us = seconds_between(begin, env_.now()) * 1e6 / count;
    begin = env_.now();
    for (const auto& [n, offset] : places) {
      auto found = co_await store_->to_source(key_of(n), TargetOffset(offset));
      if (!found && found.error() != ErrorCode::kOutOfRange) co_return std::move(found).error();
    }
    figures.to_source_us = seconds_between(begin, env_.now()) * 1e6 / count;
    co_return ok();
  }

  RealEnv& env_;
  const Wanted wanted_;
  std::unique_ptr<KvStore> kv_;
  std::unique_ptr<offsets::TranslationStore> store_;
  std::vector<TranslationRun> ends_;  // the last run of each key
  Status failure_;
};

Task<void> run_bench(RealEnv& env, TranslationBench& bench, Status& status) {
  status = co_await bench.run();
  env.stop();
}

Status measure(const Wanted& wanted) {
  RealEnvOptions quiet;
  quiet.log_level = LogLevel::kError;
  RealEnv env(quiet);
  Gate gate(env);
  TranslationBench bench(env, wanted);
  Status status;
  spawn(gate, "bench", run_bench(env, bench, status));
  env.run();
  if (!status) return status;
  const Figures& f = bench.figures;
  const auto runs = static_cast<double>(wanted.runs);
  std::printf(
      "{\"runs\": %.0f, \"fill_s\": %.3f, \"open_s\": %.3f, \"to_target_us\": %.3f, \"to_source_us\": %.3f, "
      "\"disk_bytes_a_run\": %.2f, \"memory_bytes_a_run\": %.2f}\n",
      runs, f.fill_s, f.open_s, f.to_target_us, f.to_source_us, f.disk_bytes / runs, f.memory_bytes / runs);
  return status;
}

}  // namespace
}  // namespace farshore::bench

int main(int argc, char** argv) {
  farshore::bench::Wanted wanted;
  CLI::App app("What the translation of very many runs costs.", "bench_translations");
  app.add_option("--directory", wanted.directory, "an empty one, for the store on disk; none: in memory");
  app.add_option("--runs", wanted.runs, "in all")->check(CLI::PositiveNumber);
  app.add_option("--keys", wanted.keys, "relayed partitions that share them")->check(CLI::PositiveNumber);
  app.add_option("--look-ups", wanted.look_ups, "in each direction")->check(CLI::PositiveNumber);
  app.add_option("--seed", wanted.seed, "of the runs");
  CLI11_PARSE(app, argc, argv);
  auto status = farshore::bench::measure(wanted);
  if (status) return 0;
  std::fprintf(stderr, "bench_translations: %s\n", status.error().to_string().c_str());
  return 1;
}
