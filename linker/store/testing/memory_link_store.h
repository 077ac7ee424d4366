// MemoryLinkStore: a LinkStore in memory, for tests. `stored` is the entry of the link, `others` hold the rest. A write
// can be carried out and its answer be lost, writes can be refused, and reads can fail. A page holds `page_entries`.
#pragma once

#include <functional>
#include <map>

#include "linker/store/link_store.h"

namespace farshore::linker {

class MemoryLinkStore final : public LinkStore {
 public:
  StoredEntry stored;
  std::map<std::string, StoredEntry> others;
  int lose_answers = 0, unavailable = 0, writes = 0, refused = 0, pages = 0;
  bool refuses = false;  // writes
  size_t page_entries = 1000;
  std::function<void(const std::string& key)> written;  // called after each write

  Task<Result<StoredEntry>> read(std::string key, Deadline) override {
    if (fails()) co_return Error(ErrorCode::kUnavailable);
    StoredEntry found = at(key);
    found.key = std::move(key);
    co_return found;
  }
  Task<Result<StoredPage>> page(std::string begin, std::string end, Deadline) override {
    if (fails()) co_return Error(ErrorCode::kUnavailable);
    ++pages;
    auto all = others;
    if (stored.revision > 0) all[stored.key] = stored;
    StoredPage page;
    for (auto it = all.lower_bound(begin); it != all.end() && it->first < end; ++it) {
      page.more = page.entries.size() == page_entries;
      if (page.more) break;
      page.entries.push_back(it->second);
    }
    co_return page;
  }
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline) override {
    if (refuses) ++refused;
    if (refuses) co_return Error(ErrorCode::kUnavailable, "no writes now");
    ++writes;
    const std::string key = entry.key;
    const int64_t before = at(key).revision;
    if (entry.revision != before) co_return Error(ErrorCode::kConflict);
    const int64_t revision = before + 1;
    entry.revision = revision;
    if (key == stored.key || stored.key.empty())
      stored = std::move(entry);
    else if (entry.value.empty())
      others.erase(key);
    else
      others[key] = std::move(entry);
    if (written) written(key);
    if (lose_answers > 0) {
      --lose_answers;
      co_return Error(ErrorCode::kConnectionReset);
    }
    co_return revision;
  }

 private:
  bool fails() { return unavailable > 0 && unavailable-- > 0; }
  StoredEntry at(const std::string& key) const {
    if (key == stored.key) return stored;
    auto found = others.find(key);
    return found == others.end() ? StoredEntry() : found->second;
  }
};

}  // namespace farshore::linker
