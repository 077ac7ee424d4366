#include "base/file_cache.h"

#include <gtest/gtest.h>

#include <map>

#include "base/sim/disk.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

// Files of a simulated host through a cache.
class FileCacheTest : public ::testing::Test {
 protected:
  static constexpr size_t kOpenMax = 4;
  FileCacheTest() : world_(options()), env_(&world_.start_process("host", "test")) {
    disk().set_instant(true);
    cache_ = std::make_unique<FileCache>(*env_, env_->files(), kOpenMax);
    (void)run(cache_->make_dirs("/d"));
  }
  ~FileCacheTest() override {
    files_.clear();
    cache_.reset();
  }
  static SimOptions options() {
    SimOptions options;
    options.buggify = options.yields = false;
    return options;
  }
  SimDisk& disk() { return world_.disk("host"); }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    EXPECT_TRUE(world_.run(*env_, store(std::move(task), value), hours(1)));
    return std::move(*value);
  }
  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>& into) {
    T value = co_await std::move(task);
    into.emplace(std::move(value));
  }
  File& open(const std::string& path) {
    OpenMode mode;
    mode.create = true;
    return *(files_[path] = run(cache_->open(path, mode)).value());
  }
  Status write(File& file, std::string_view text) {
    ConstBytes piece = as_bytes(text);
    return run(file.write_at(0, ConstBytesList(&piece, 1)));
  }
  std::string read(File& file) {
    std::string text(100, ' ');
    auto n = run(file.read_at(0, MutableBytes(reinterpret_cast<std::byte*>(text.data()), text.size())));
    EXPECT_TRUE(n) << (n ? "" : n.error().to_string());
    return text.substr(0, n ? *n : 0);
  }

  SimWorld world_;
  SimEnv* env_;
  std::unique_ptr<FileCache> cache_;
  std::map<std::string, std::unique_ptr<File>> files_;
};

TEST_F(FileCacheTest, FilesBeyondTheLimitAreClosedAndOpenedAgain) {
  for (int i = 0; i < 20; ++i) {
    File& file = open("/d/" + std::to_string(i));
    ASSERT_TRUE(write(file, "file " + std::to_string(i)));
    EXPECT_LE(cache_->open_count(), kOpenMax);
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(read(*files_["/d/" + std::to_string(i)]), "file " + std::to_string(i));
      EXPECT_LE(cache_->open_count(), kOpenMax);
    }
  }
  files_.clear();
  EXPECT_EQ(cache_->open_count(), 0U);
}

TEST_F(FileCacheTest, UnsyncedBytesAreSyncedBeforeTheirFileIsClosed) {
  ASSERT_TRUE(write(open("/d/a"), "bytes"));
  for (int i = 0; i < 10; ++i) open("/d/" + std::to_string(i));
  EXPECT_EQ(disk().operations(DiskOp::kSync), 0U) << "files without unsynced bytes are closed first";
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(write(*files_["/d/" + std::to_string(i)], "others"));
  EXPECT_EQ(disk().operations(DiskOp::kSync), 11 - kOpenMax);
  ASSERT_TRUE(run(cache_->sync_dir("/d")));
  EXPECT_EQ(disk().durable_contents("/d/a"), "bytes");
}

TEST_F(FileCacheTest, FailedSyncOfAClosedFileIsNotForgotten) {
  File& file = open("/d/a");
  ASSERT_TRUE(write(file, "bytes"));
  disk().fail_next(DiskOp::kSync, "/d/a");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(write(open("/d/" + std::to_string(i)), "others"));
  EXPECT_EQ(write(file, "more").error(), ErrorCode::kIo);
  EXPECT_EQ(run(file.sync()).error(), ErrorCode::kIo);
}

TEST_F(FileCacheTest, RemovedFileStaysReadableThroughTheFileThatIsHeld) {
  File& old = open("/d/a");
  ASSERT_TRUE(write(old, "old"));
  for (int i = 0; i < 10; ++i) open("/d/" + std::to_string(i));  // "a" is closed
  ASSERT_TRUE(run(cache_->remove("/d/a")));
  auto held = std::move(files_["/d/a"]);
  File& fresh = open("/d/a");
  ASSERT_TRUE(write(fresh, "new"));
  for (int i = 0; i < 10; ++i) (void)read(*files_["/d/" + std::to_string(i)]);
  EXPECT_EQ(read(*held), "old") << "never the bytes of another file with its name";
  EXPECT_EQ(read(fresh), "new");
}

TEST_F(FileCacheTest, RenamedFileIsOpenedAgainByItsNewName) {
  File& moved = open("/d/new.cleaned");
  ASSERT_TRUE(write(moved, "cleaned"));
  File& replaced = open("/d/log");
  ASSERT_TRUE(write(replaced, "old"));
  for (int i = 0; i < 10; ++i) open("/d/" + std::to_string(i));
  ASSERT_TRUE(run(cache_->rename("/d/new.cleaned", "/d/log")));
  for (int i = 0; i < 10; ++i) (void)read(*files_["/d/" + std::to_string(i)]);
  EXPECT_EQ(read(moved), "cleaned");
  EXPECT_EQ(moved.path(), "/d/log");
  EXPECT_EQ(read(replaced), "old");
}

TEST_F(FileCacheTest, FilesOfARenamedDirectoryKeepTheirBytes) {
  (void)run(cache_->make_dirs("/d/t-0"));
  File& old = open("/d/t-0/log");
  ASSERT_TRUE(write(old, "old"));
  for (int i = 0; i < 10; ++i) open("/d/" + std::to_string(i));
  auto held = std::move(files_["/d/t-0/log"]);
  ASSERT_TRUE(run(cache_->rename("/d/t-0", "/d/t-0.gone")));
  (void)run(cache_->make_dirs("/d/t-0"));
  ASSERT_TRUE(write(open("/d/t-0/log"), "new"));
  for (int i = 0; i < 10; ++i) (void)read(*files_["/d/" + std::to_string(i)]);
  EXPECT_EQ(read(*held), "old");
  ASSERT_TRUE(run(cache_->remove_all("/d/t-0.gone")));
  for (int i = 0; i < 10; ++i) (void)read(*files_["/d/" + std::to_string(i)]);
  EXPECT_EQ(read(*held), "old");
}

TEST_F(FileCacheTest, FileThatIsSentIsNotClosed) {
  File& sent = open("/d/a");
  ASSERT_TRUE(write(sent, "bytes"));
  auto pinned = run(pin_file(sent)).value();
  for (int i = 0; i < 20; ++i) open("/d/" + std::to_string(i));
  EXPECT_EQ(read(*pinned), "bytes");
  pinned.reset();
  for (int i = 0; i < 20; ++i) (void)read(*files_["/d/" + std::to_string(i)]);
  EXPECT_LE(cache_->open_count(), kOpenMax);
}

TEST_F(FileCacheTest, FilesMayOutliveTheCache) {
  ASSERT_TRUE(write(open("/d/a"), "bytes"));
  cache_.reset();
  EXPECT_EQ(read(*files_["/d/a"]), "bytes");
  files_.clear();
}

}  // namespace
}  // namespace farshore::sim
