// A process that writes is killed with SIGKILL, again and again; another one looks at what it left.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "base/contract/harness.h"
#include "base/random.h"
#include "base/real/testing/harness.h"
#include "base/rocksdb/kv.h"

namespace farshore {
namespace {

constexpr const char* kChildDirectory = "FARSHORE_KILL_TEST_DIRECTORY";

std::string key_of(uint64_t i) {
  std::string digits = std::to_string(i);
  return "k" + std::string(12 - digits.size(), '0') + digits;
}

// Writes k<i> and "last"=i in one batch, for ever, and says i on stdout once the write has resolved. Most writes are
// not synced: they must outlive the process all the same.
Task<void> write_until_killed(RocksKvOpener& opener, std::string directory) {
  auto store = (co_await opener.open(directory)).value();
  auto last = (co_await store->get("last")).value();
  for (uint64_t i = last ? std::stoull(*last) + 1 : 0;; ++i) {
    KvBatch batch;
    batch.put(key_of(i), contract::pattern(1 + i % 3000, i));
    batch.put("last", std::to_string(i));
    (co_await store->write(std::move(batch), i % 16 == 0 ? Sync::kYes : Sync::kNo)).value();
    if (::write(STDOUT_FILENO, &i, sizeof i) != sizeof i) ::_exit(1);
  }
}

// This program, started again by the test below, before gtest's main.
[[maybe_unused]] const bool kChild = [] {
  const char* directory = std::getenv(kChildDirectory);
  if (!directory) return false;
  RealEnv env;
  RocksKvOpener opener(env);
  start(env, write_until_killed(opener, directory), [] { ::_exit(1); });
  env.run();
  ::_exit(1);
}();

Task<void> look(RocksKvOpener& opener, std::string directory, uint64_t acknowledged) {
  auto store = co_await opener.open(directory);
  CO_ASSERT_OK(store);
  auto last = co_await (*store)->get("last");
  CO_ASSERT_OK(last);
  CO_ASSERT(last->has_value());
  uint64_t end = std::stoull(**last);
  EXPECT_GE(end, acknowledged);
  auto items = co_await (*store)->scan("k", "l", 1 << 20);
  CO_ASSERT_OK(items);
  EXPECT_EQ(items->size(), end + 1) << "a batch was applied in part";
  for (uint64_t i = 0; i < items->size(); ++i) {
    EXPECT_EQ((*items)[i].first, key_of(i));
    EXPECT_TRUE((*items)[i].second == contract::pattern(1 + i % 3000, i)) << "item " << i;
  }
}

TEST(RocksKvProcess, KilledProcessKeepsEveryAcknowledgedWriteWhole) {
  RealHarness harness;
  std::string directory = harness.scratch() + "/kv";
  uint64_t seed = std::random_device()();
  std::printf("seed %lu\n", static_cast<unsigned long>(seed));
  Random random(seed);
  for (int round = 0; round < 4; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    ::setenv(kChildDirectory, directory.c_str(), 1);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::dup2(pipe[1], STDOUT_FILENO);
      ::close(pipe[0]);
      ::execl("/proc/self/exe", "killed", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::unsetenv(kChildDirectory);
    ::close(pipe[1]);
    uint64_t said = 0;
    uint64_t wanted = 200 + random.below(1500), count = 0;
    while (count < wanted && ::read(pipe[0], &said, sizeof said) == sizeof said) ++count;
    EXPECT_EQ(count, wanted) << "the writer ended by itself";
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &said, sizeof said) == sizeof said) {
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    RocksKvOpener opener(harness.env());
    harness.run(look(opener, directory, said));
  }
}

}  // namespace
}  // namespace farshore
