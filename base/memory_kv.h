// MemoryKv: a KvStore in memory, gone with its owner: for what is rebuilt anyway (libfarshore's image of a
// translation). Every call completes without suspending. Executor: any one. Memory: what is put.
#pragma once

#include <map>
#include <string>

#include "base/kv.h"

namespace farshore {

class MemoryKv final : public KvStore {
 public:
  Task<Result<std::optional<std::string>>> get(std::string key) override;
  Task<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string begin, std::string end,
                                                                      size_t items_max) override;
  Task<Result<std::vector<std::pair<std::string, std::string>>>> scan_reverse(std::string begin, std::string end,
                                                                              size_t items_max) override;
  Task<Status> write(KvBatch batch, Sync sync) override;  // Sync::kYes means nothing here

 private:
  std::map<std::string, std::string> map_;  // std::string compares unsigned bytes
};

}  // namespace farshore
