// FileCache where the system itself refuses descriptors.
#include "base/file_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/real/testing/harness.h"
#include "base/testing/async_test.h"

#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define FARSHORE_UNDEFINED_BEHAVIOUR_SANITIZER
#endif
#endif

namespace farshore {
namespace {

constexpr int kFiles = 40;
constexpr int kFreeDescriptors = 12;

class ScarceDescriptors {
 public:
  ScarceDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // the lowest that is free
    ::close(next);
    rlimit scarce = before_;
    scarce.rlim_cur = static_cast<rlim_t>(next + kFreeDescriptors);
    ::setrlimit(RLIMIT_NOFILE, &scarce);
  }
  ~ScarceDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

Task<void> use_many_files(FileCache& cache, std::string directory) {
  std::vector<std::unique_ptr<File>> files;
  OpenMode mode;
  mode.create = true;
  for (int i = 0; i < kFiles; ++i) {
    auto file = co_await cache.open(directory + "/" + std::to_string(i), mode);
    CO_ASSERT_OK(file);
    const std::string text = std::to_string(i);
    ConstBytes piece = as_bytes(text);
    auto written = co_await (*file)->write_at(0, ConstBytesList(&piece, 1));
    CO_ASSERT_OK(written);
    files.push_back(std::move(*file));
  }
  auto names = co_await cache.list(directory);
  CO_ASSERT_OK(names);
  EXPECT_EQ(names->size(), static_cast<size_t>(kFiles));
  auto synced = co_await cache.sync_dir(directory);
  CO_ASSERT_OK(synced);
  for (int i = 0; i < kFiles; ++i) {
    std::array<std::byte, 8> raw{};
    auto n = co_await files[static_cast<size_t>(i)]->read_at(0, raw);
    CO_ASSERT_OK(n);
    EXPECT_EQ(as_text(ConstBytes(raw).first(*n)), std::to_string(i));
  }
  EXPECT_GT(cache.refusals(), 0U);
  EXPECT_LE(cache.open_count(), static_cast<size_t>(kFreeDescriptors));
}

TEST(RealFileCache, FilesAreUsableThoughTheSystemRefusesDescriptors) {
#ifdef FARSHORE_UNDEFINED_BEHAVIOUR_SANITIZER
  GTEST_SKIP() << "the sanitizer opens a pipe to look at an object, and reports a good one if it cannot";
#endif
  char name[] = "/tmp/farshore-file-cache-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  {
    RealHarness harness;
    FileCache cache(harness.env(), harness.env().files(), 1000);  // the system allows less than that
    ScarceDescriptors scarce;
    harness.run(use_many_files(cache, name));
  }
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace farshore
