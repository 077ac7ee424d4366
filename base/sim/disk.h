// SimDisk: the files of one host, as the page cache shows them and as they would be after a power loss.
//  - write_at changes the page cache; sync() makes a file's bytes and size durable; sync_dir() makes names durable.
//  - A process's death changes nothing of that (its locks go). A power loss takes, for each file, unsynced data: kept,
//    dropped, cut at a sector (torn), or replaced by garbage, sector by sector; and for names, a prefix of the unsynced
//    changes of the whole disk, in order (as a journal keeps them). A truncation that is lost comes back whole.
//  - After a failed sync the kernel takes the pages for clean: what was dirty is never written (a later sync succeeds
//    and says nothing), as Linux does.
// Executor: the world. Paths are absolute, or relative to "/".
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/time.h"

namespace farshore::sim {

class SimEnv;
class SimWorld;
struct SimHost;
struct Inode;
struct KvDisk;

inline constexpr uint64_t kSectorBytes = 512;

enum class PowerLoss : uint8_t {
  kSeeded,   // by seed, per file
  kKeepAll,  // everything unsynced survives
  kDropAll,  // nothing unsynced survives
  kTorn,     // of each file, a prefix of its unsynced bytes, cut at a sector
  kGarbage,  // each unsynced sector is kept, dropped or garbage
};

enum class DiskOp : uint8_t { kOpen, kRead, kWrite, kSync, kTruncate, kRename, kRemove, kSyncDir };
inline constexpr size_t kDiskOps = 8;

class SimDisk {
 public:
  SimDisk(SimWorld& world, SimHost& host, uint64_t seed);
  ~SimDisk();

  // The next `times` operations of this kind on a path that contains `path_part` fail with kIo.
  void fail_next(DiskOp op, std::string path_part, int times = 1);
  // Until the next call, open() of a path that contains `path_part` fails as if the system had no file descriptor
  // (kResourceExhausted). Empty: descriptors are free.
  void refuse_descriptors(std::string path_part) { no_descriptor_ = std::move(path_part); }
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }  // writes beyond fail with kNoSpace
  // Calls `then` before the n-th operation from now (1: the next), and before that operation has any effect. Reads do
  // not count. `then` usually kills the process; if it lives on, the operation goes on.
  void at_operation(uint64_t n, std::function<void()> then) {
    trap_after_ = n;
    trap_ = std::move(then);
  }
  void heal() {  // no failure and no trap is planned any more, and there is room
    planned_.clear();
    no_descriptor_.clear();
    trap_ = nullptr;
    capacity_ = kRoomy;
  }
  uint64_t operations(DiskOp op) const { return operations_[static_cast<size_t>(op)]; }  // so far, of all processes
  uint64_t used_bytes() const { return *used_; }
  // Every operation takes this long (syncs always take some time; others normally none).
  void set_slow(Duration min, Duration max);
  void set_normal() { slow_ = false; }
  // From now on no operation takes time or suspends: for unit tests and fuzz targets, which need speed and exact
  // clocks.
  void set_instant(bool instant) { instant_ = instant; }
  // A power loss tears and garbles unsynced bytes in pieces of this size. Small pieces find more in small files.
  void set_sector_bytes(uint64_t bytes) { sector_bytes_ = bytes; }
  // Flips one bit, in the cache and on the platter: silent corruption. False if there is no such byte.
  bool rot(std::string_view path, uint64_t position);

  // For checkers: contents as a process would read them, or as a power loss that drops everything would leave them.
  std::optional<std::string> contents(std::string_view path) const;
  std::optional<std::string> durable_contents(std::string_view path) const;
  std::vector<std::string> files_under(std::string_view path) const;  // all regular files, sorted

  // For tests that damage or restore files while no process has them open. All three make every name durable.
  void put_contents(std::string_view path, std::string_view contents);  // durable; makes the file if it is missing
  void erase(std::string_view path);                                    // durable; fine if there is nothing
  void sync_everything();

  KvDisk* kv_at(std::string_view directory) const;  // see kv.h

  // By the world.
  void lose_power(const PowerLoss* how);
  void process_gone(SimEnv& env);

 private:
  friend class SimFile;
  friend class SimFileSystem;
  friend class SimFileLock;
  friend class SimKv;
  friend class SimKvOpener;
  struct NameChange {
    std::shared_ptr<Inode> dir;
    std::string name;
    std::shared_ptr<Inode> inode;  // null: the name goes
  };
  using NameOp = std::vector<NameChange>;  // applied whole
  struct Planned {
    DiskOp op;
    std::string path_part;
    int times;
  };
  struct Place {
    std::shared_ptr<Inode> dir;    // of the last part; null if a parent is missing
    std::string name;              // empty: the root
    std::shared_ptr<Inode> inode;  // null: nothing there
    bool through_file = false;
  };

  Place find(std::string_view path) const;
  std::shared_ptr<Inode> make(bool directory);
  void change(NameOp op);
  void sync_names(const std::shared_ptr<Inode>& dir);
  void start_sync(const std::shared_ptr<Inode>& inode, uint64_t id);
  void finish_sync(const std::shared_ptr<Inode>& inode, uint64_t id);
  void resize(Inode& inode, uint64_t size);
  void lose_file(Inode& inode, PowerLoss how);
  void lose_dir(const std::shared_ptr<Inode>& dir, PowerLoss how, std::set<uint64_t>& seen);
  bool planned(DiskOp op, std::string_view path);
  // Counts the operation. True: the trap was called; the caller suspends once, for the process may be dead now.
  bool count(DiskOp op);
  static void make_durable(const NameOp& op);
  void sync_all_names();
  Duration draw(Duration min, Duration max) { return nanoseconds(random_.between(min.count(), max.count())); }
  bool has_room(uint64_t more) const { return *used_ + more <= capacity_; }

  SimWorld& world_;
  SimHost& host_;
  Random random_;
  uint64_t last_inode_ = 0, last_sync_ = 0, boots_ = 0;
  std::shared_ptr<uint64_t> used_ = std::make_shared<uint64_t>(0);
  static constexpr uint64_t kRoomy = uint64_t{1} << 40;
  uint64_t capacity_ = kRoomy;
  bool slow_ = false, instant_ = false;
  uint64_t sector_bytes_ = kSectorBytes;
  std::array<uint64_t, kDiskOps> operations_{};
  uint64_t trap_after_ = 0;
  std::function<void()> trap_;
  Duration slow_min_{}, slow_max_{}, sync_min_ = microseconds(80), sync_max_ = milliseconds(3);
  std::vector<Planned> planned_;
  std::string no_descriptor_;  // what refuse_descriptors() was given
  std::vector<NameOp> unsynced_names_;
  std::map<uint64_t, SimEnv*> locks_;  // inode -> who
  std::shared_ptr<Inode> root_;
};

std::unique_ptr<FileSystem> make_sim_files(SimEnv& env);

}  // namespace farshore::sim
