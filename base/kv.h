// KvStore: a small ordered map on disk. RealEnv processes: RocksDB. Simulation: a map with a synced prefix, cut on
// kill. Executor: the Env's. Keys and values are bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace farshore {

enum class Sync : bool { kNo = false, kYes = true };

struct KvPut {
  std::string key, value;
};
struct KvDelete {
  std::string key;
};
struct KvDeleteRange {
  std::string begin, end;  // [begin, end)
};

// Applied whole or not at all, in order.
class KvBatch {
 public:
  KvBatch() {}
  void put(std::string key, std::string value) { ops_.push_back(KvPut{std::move(key), std::move(value)}); }
  void erase(std::string key) { ops_.push_back(KvDelete{std::move(key)}); }
  void erase_range(std::string begin, std::string end) {
    ops_.push_back(KvDeleteRange{std::move(begin), std::move(end)});
  }
  using Op = std::variant<KvPut, KvDelete, KvDeleteRange>;
  const std::vector<Op>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }

 private:
  std::vector<Op> ops_;
};

class KvStore {
 public:
  virtual ~KvStore() = default;
  virtual Task<Result<std::optional<std::string>>> get(std::string key) = 0;
  // Keys in [begin, end) in order, at most `items_max`; end empty: to the last key.
  virtual Task<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string begin, std::string end,
                                                                              size_t items_max) = 0;
  virtual Task<Result<std::vector<std::pair<std::string, std::string>>>> scan_reverse(std::string begin,
                                                                                      std::string end,
                                                                                      size_t items_max) = 0;
  // Sync::kYes: durable when it resolves. Sync::kNo: survives the process, not the machine; a later synced write makes
  // all earlier ones durable. kIo, kNoSpace: not applied, or unknown after kIo (stop).
  virtual Task<Status> write(KvBatch batch, Sync sync) = 0;
};

// Opens the store in a directory: what a composition root hands to a room that needs one.
class KvOpener {
 public:
  virtual ~KvOpener() = default;
  // kAlreadyExists: another process has it open. kCorrupt: the store's own files are damaged.
  virtual Task<Result<std::unique_ptr<KvStore>>> open(std::string directory) = 0;
};

}  // namespace farshore
