#include <algorithm>

#include "proto/kafka/api_table.h"

namespace farshore::kafka {

const ApiInfo* find_api(int16_t key) {
  auto all = apis();
  auto it = std::lower_bound(all.begin(), all.end(), key,
                             [](const ApiInfo& api, int16_t wanted) { return api.key < wanted; });
  return it != all.end() && it->key == key ? &*it : nullptr;
}

std::string_view api_name(int16_t key) {
  const ApiInfo* api = find_api(key);
  return api ? api->name : "unknown";
}

}  // namespace farshore::kafka
