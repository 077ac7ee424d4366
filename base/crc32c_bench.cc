// CRC-32C against memcpy on cached data, in one run: prints the speed of each and their ratio (wanted: at least 0.7).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/crc32c.h"

namespace {

using namespace farshore;

using Crc = uint32_t (*)(ConstBytes, uint32_t);

void crc(benchmark::State& state, Crc function) {
  std::string text(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(function(as_bytes(text), 0));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void copy(benchmark::State& state) {
  std::string from(static_cast<size_t>(state.range(0)), 'x'), to(from.size(), 'y');
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const auto& run : runs) {
      double speed = run.counters.at("bytes_per_second");
      if (run.run_name.function_name == "memcpy")
        memcpy_ = speed;
      else if (memcpy_ > 0)
        std::printf("  -> %.2f of memcpy\n", speed / memcpy_);
    }
  }

 private:
  double memcpy_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  for (int64_t size : {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}) {
    benchmark::RegisterBenchmark("memcpy", copy)->Arg(size);
    benchmark::RegisterBenchmark("crc32c", crc, &farshore::crc32c)->Arg(size);
    benchmark::RegisterBenchmark("crc32c_three_way", crc, &farshore::crc32c_three_way)->Arg(size);
  }
  benchmark::RegisterBenchmark("crc32c_portable", crc, &farshore::crc32c_portable)->Arg(64 << 10);
  benchmark::Initialize(&argc, argv);
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
}
