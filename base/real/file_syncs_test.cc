// FileSyncs with system calls that the test answers itself.
#include "base/real/internal/file_syncs.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/real/testing/harness.h"
#include "base/testing/async_test.h"

namespace farshore {
namespace {

struct FileSyncsTest : testing::Test {
  using Files = std::vector<std::shared_ptr<SyncedFile>>;

  FileSyncsTest() { make(true); }
  ~FileSyncsTest() override {
    harness.env().shutdown();
    pool.stop();
  }
  void run(Task<void> task) { harness.run(std::move(task)); }

  void make(bool with_group) {
    SyncCalls calls;
    calls.one = [this](int fd) {
      ++one_calls;
      std::lock_guard lock(mutex);
      return broken.contains(fd) ? EIO : 0;
    };
    calls.all = [this](int) {
      ++all_calls;
      std::this_thread::sleep_for(all_takes.load());
      return all_failures > 0 && all_failures-- > 0 ? EIO : 0;
    };
    auto file_system = with_group ? std::make_shared<Descriptor>(::open("/dev/null", O_RDONLY | O_CLOEXEC)) : nullptr;
    syncs = std::make_shared<FileSyncs>(harness.env(), pool, std::move(file_system), std::move(calls));
  }
  void break_file(const SyncedFile& file) {
    std::lock_guard lock(mutex);
    broken.insert(file.fd->number);
  }
  static Files new_files(int count) {
    Files files;
    for (int i = 0; i < count; ++i)
      files.push_back(std::make_shared<SyncedFile>(
          std::make_shared<Descriptor>(::open("/dev/null", O_RDONLY | O_CLOEXEC)), "file " + std::to_string(i)));
    return files;
  }
  Task<void> sync_one(std::shared_ptr<SyncedFile> file) {
    auto synced = co_await syncs->sync(file);
    if (!synced) failed.insert(file->path);
  }
  // All at the same time. The paths of those that failed are in `failed`.
  Task<void> sync_all(Files files) {
    failed.clear();
    one_calls = all_calls = 0;
    Gate gate(harness.env());
    for (const auto& file : files) spawn(gate, "sync", sync_one(file));
    co_await gate.close();
  }

  RealHarness harness;
  BlockingPool pool{harness.env(), "sync", FileSyncs::kThreads, 1024};
  std::atomic<int> one_calls = 0, all_calls = 0, all_failures = 0;
  std::atomic<Duration> all_takes{Duration::zero()};
  std::mutex mutex;  // guards the next
  std::set<int> broken;
  std::set<std::string> failed;
  std::shared_ptr<FileSyncs> syncs;
};

ASYNC_TEST_F(FileSyncsTest, FirstSyncOfAFileIsItsOwn) {
  Files files = new_files(50);
  co_await sync_all(files);
  EXPECT_EQ(one_calls, 50);
  EXPECT_EQ(all_calls, 0);
}

ASYNC_TEST_F(FileSyncsTest, ManyFilesShareOneSyncOfTheFileSystem) {
  Files files = new_files(500);
  co_await sync_all(files);
  co_await sync_all(files);
  EXPECT_GE(all_calls, 1);
  EXPECT_LE(one_calls + all_calls, 20) << "instead of 500";
  EXPECT_TRUE(failed.empty());
}

ASYNC_TEST_F(FileSyncsTest, FewFilesAreSyncedOneByOne) {
  Files files = new_files(FileSyncs::kAloneMax);
  co_await sync_all(files);
  co_await sync_all(files);
  EXPECT_EQ(one_calls, static_cast<int>(FileSyncs::kAloneMax));
  EXPECT_EQ(all_calls, 0);
}

ASYNC_TEST_F(FileSyncsTest, WithoutAProvenSyncOfTheFileSystemFilesAreSyncedOneByOne) {
  make(false);
  Files files = new_files(200);
  co_await sync_all(files);
  co_await sync_all(files);
  EXPECT_EQ(one_calls, 200);
  EXPECT_EQ(all_calls, 0);
}

ASYNC_TEST_F(FileSyncsTest, ErrorOfTheFileSystemIsFoundAtItsFileAlone) {
  Files files = new_files(200);
  co_await sync_all(files);
  break_file(*files[70]);
  all_failures = 1;
  co_await sync_all(files);
  EXPECT_EQ(failed, std::set<std::string>{files[70]->path});
}

// The kernel tells an error of a file once, to whoever asks first. Here other files' round hears of it.
ASYNC_TEST_F(FileSyncsTest, ErrorThatARoundOfOtherFilesHeardIsNotLost) {
  Files files = new_files(200), others = new_files(200);
  co_await sync_all(files);
  co_await sync_all(others);
  break_file(*files[7]);
  all_failures = 1;
  co_await sync_all(others);
  EXPECT_TRUE(failed.empty());
  co_await sync_all(files);
  EXPECT_EQ(failed, std::set<std::string>{files[7]->path});
}

ASYNC_TEST_F(FileSyncsTest, FilesAreSyncedOneByOneWhileTheFileSystemHasMuchElseToWrite) {
  Files files = new_files(200);
  co_await sync_all(files);
  all_takes = 3 * FileSyncs::kGroupShort;
  co_await sync_all(files);
  EXPECT_GE(all_calls, 1);
  co_await sync_all(files);
  EXPECT_EQ(all_calls, 0);
  EXPECT_EQ(one_calls, 200);
}

}  // namespace
}  // namespace farshore
