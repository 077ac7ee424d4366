#include "broker/net/api_table.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"

namespace farshore::broker {

ApiTable::ApiTable(std::vector<ApiEntry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const ApiEntry& a, const ApiEntry& b) { return a.key < b.key; });
  for (size_t i = 0; i < entries_.size(); ++i) {
    ensure(entries_[i].handler && entries_[i].versions.min <= entries_[i].versions.max, "an API entry is complete");
    ensure(i == 0 || entries_[i - 1].key != entries_[i].key, "one handler per API key");
  }
}

const ApiEntry* ApiTable::find(int16_t key) const {
  auto it = std::lower_bound(entries_.begin(), entries_.end(), key,
                             [](const ApiEntry& entry, int16_t wanted) { return entry.key < wanted; });
  return it != entries_.end() && it->key == key ? &*it : nullptr;
}

}  // namespace farshore::broker
