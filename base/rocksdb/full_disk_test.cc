// A store is opened where there is no room for what RocksDB writes at the start, or for less than all of it.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "base/contract/harness.h"
#include "base/real/testing/harness.h"
#include "base/rocksdb/kv.h"

namespace farshore {
namespace {

constexpr uint64_t kDiskBytes = 32 << 20;
constexpr size_t kValueBytes = 4000;

// What files allocate ahead takes room on ext4, and none on tmpfs.
enum class Kind { kTmpfs, kExt4 };

// A file system of its own, which a filler file can fill.
class SmallDisk {
 public:
  SmallDisk(Kind kind, const std::string& image, std::string path) : path_(std::move(path)) {
    if (kind == Kind::kExt4) {
      const std::string make = "mkfs.ext4 -q -F -m 0 -J size=4 " + image + " " + std::to_string(kDiskBytes >> 10) + "k";
      const std::string mount = "mount -o loop " + image + " " + path_;
      if (std::system(("(" + make + " && " + mount + ") > " + image + ".log 2>&1").c_str()) != 0) error_ = EPERM;
      return;
    }
    const std::string size = "size=" + std::to_string(kDiskBytes);
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, size.c_str()) != 0) error_ = errno;
  }
  ~SmallDisk() {
    if (error_ == 0) ::umount2(path_.c_str(), MNT_DETACH);
  }
  int error() const { return error_; }
  void fill(uint64_t leave) {
    std::filesystem::remove(filler());
    std::ofstream(filler()).flush();
    struct statvfs now {};
    ASSERT_EQ(::statvfs(path_.c_str(), &now), 0);
    const uint64_t free = static_cast<uint64_t>(now.f_bavail) * now.f_frsize;
    ASSERT_GE(free, leave);
    std::ofstream out(filler(), std::ios::binary);
    const std::string zeros(4096, '\0');
    for (uint64_t i = 0; i < (free - leave) / zeros.size(); ++i) out << zeros;
    out.flush();
    ASSERT_TRUE(out.good());
  }
  void free() { std::filesystem::remove(filler()); }

 private:
  std::string filler() const { return path_ + "/filler"; }
  const std::string path_;
  int error_ = 0;  // of mounting it
};

Task<void> fill_store(KvOpener& opener, std::string directory, size_t values, std::string copy_to) {
  auto store = co_await opener.open(directory);
  CO_ASSERT_OK(store);
  for (size_t i = 0; i < values; ++i) {
    KvBatch batch;
    batch.put("k" + std::to_string(i), contract::pattern(kValueBytes, i));
    auto written = co_await (*store)->write(std::move(batch), i + 1 == values ? Sync::kYes : Sync::kNo);
    CO_ASSERT_OK(written);
  }
  // As a process that is killed now leaves it: with all of it in the write-ahead log.
  std::filesystem::copy(directory, copy_to, std::filesystem::copy_options::recursive);
}

Task<void> open_and_write(KvOpener& opener, std::string directory, std::optional<Error>& failure) {
  auto store = co_await opener.open(directory);
  if (!store) {
    failure = store.error();
    co_return;
  }
  KvBatch batch;
  batch.put("written", "or not: there may be no room for it");
  (void)co_await (*store)->write(std::move(batch), Sync::kYes);
}

Task<void> look_into(KvOpener& opener, std::string directory, size_t values) {
  auto store = co_await opener.open(directory);
  CO_ASSERT_OK(store);
  for (size_t i = 0; i < values; ++i) {
    auto value = co_await (*store)->get("k" + std::to_string(i));
    CO_ASSERT_OK(value);
    CO_ASSERT(value->has_value());
    EXPECT_TRUE(**value == contract::pattern(kValueBytes, i)) << "item " << i;
  }
}

// So much room, and around each of the sizes where the write-ahead log as a table fits and the files after it do not.
std::vector<uint64_t> rooms_for(size_t values) {
  std::vector<uint64_t> rooms;
  for (uint64_t kib : {0, 4, 8, 16, 32, 48, 64, 4096}) rooms.push_back(kib << 10);
  const uint64_t log_bytes = values * kValueBytes / 4096 * 4096;
  for (uint64_t kib = 0; kib < 64; kib += 4) rooms.push_back(log_bytes + (kib << 10));
  return rooms;
}

void open_in_little_room(Kind kind) {
  RealHarness harness;
  RocksKvOpener opener(harness.env());
  for (size_t values : {0, 1, 25, 250}) {
    const std::string saved = harness.scratch() + "/saved", at = harness.scratch(), directory = at + "/kv";
    if (values > 0) harness.run(fill_store(opener, harness.scratch() + "/kv", values, saved));
    SmallDisk disk(kind, harness.scratch() + "/image", at);
    if (disk.error() == EPERM || disk.error() == EACCES)
      GTEST_SKIP() << "mounts a small file system, which needs root, and a container that allows it";
    ASSERT_EQ(disk.error(), 0);
    int refused = 0, opened = 0;
    for (uint64_t leave_bytes : rooms_for(values)) {
      SCOPED_TRACE(std::to_string(values) + " values, " + std::to_string(leave_bytes) + " bytes left");
      if (values > 0) std::filesystem::copy(saved, directory, std::filesystem::copy_options::recursive);
      disk.fill(leave_bytes);
      std::optional<Error> failure;
      harness.run(open_and_write(opener, directory, failure));
      ++(failure ? refused : opened);
      if (failure) {
        EXPECT_EQ(failure->code, ErrorCode::kNoSpace) << failure->to_string();
        EXPECT_NE(failure->detail.find(directory), std::string::npos) << failure->to_string();
      }
      disk.free();
      harness.run(look_into(opener, directory, values));
      std::filesystem::remove_all(directory);
    }
    EXPECT_GT(refused, 0);
    EXPECT_GT(opened, 0);
  }
}

TEST(RocksKvFullDisk, WriteToAFullDiskIsRefusedAndKeepsAllEarlierData) { open_in_little_room(Kind::kTmpfs); }

TEST(RocksKvFullDisk, WriteToAFullExt4IsRefusedAndKeepsAllEarlierData) { open_in_little_room(Kind::kExt4); }

}  // namespace
}  // namespace farshore
