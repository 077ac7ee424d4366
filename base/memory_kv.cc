#include "base/memory_kv.h"

namespace farshore {

namespace {

using Items = std::vector<std::pair<std::string, std::string>>;

}  // namespace

Task<Result<std::optional<std::string>>> MemoryKv::get(std::string key) {
  auto it = map_.find(key);
  if (it == map_.end()) co_return std::optional<std::string>();
  co_return std::optional<std::string>(it->second);
}

Task<Result<Items>> MemoryKv::scan(std::string begin, std::string end, size_t items_max) {
  Items out;
  for (auto it = map_.lower_bound(begin); it != map_.end() && out.size() < items_max; ++it) {
    if (!end.empty() && it->first >= end) break;
    out.push_back(*it);
  }
  co_return out;
}

Task<Result<Items>> MemoryKv::scan_reverse(std::string begin, std::string end, size_t items_max) {
  Items out;
  auto it = end.empty() ? map_.end() : map_.lower_bound(end);
  while (it != map_.begin() && out.size() < items_max) {
    --it;
    if (it->first < begin) break;
    out.push_back(*it);
  }
  co_return out;
}

Task<Status> MemoryKv::write(KvBatch batch, Sync) {
  for (const auto& op : batch.ops()) {
    if (const auto* put = std::get_if<KvPut>(&op)) {
      map_[put->key] = put->value;
    } else if (const auto* erase = std::get_if<KvDelete>(&op)) {
      map_.erase(erase->key);
    } else {
      const auto& range = std::get<KvDeleteRange>(op);
      if (range.begin < range.end) map_.erase(map_.lower_bound(range.begin), map_.lower_bound(range.end));
    }
  }
  co_return ok();
}

}  // namespace farshore
