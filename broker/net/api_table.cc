#include <algorithm>

#include "base/ensure.h"
#include "broker/net/handler.h"

namespace farshore::broker {

// Every API that this broker serves: one line each, by key. Each function stands at the end of its handler's file.
#define FARSHORE_BROKER_APIS(API)    \
  API(produce_api)                   \
  API(fetch_api)                     \
  API(list_offsets_api)              \
  API(init_producer_id_api)          \
  API(offset_for_leader_epoch_api)   \
  API(delete_records_api)            \
  API(describe_producers_api)        \
  API(metadata_api)                  \
  API(api_versions_api)              \
  API(create_topics_api)             \
  API(delete_topics_api)             \
  API(describe_configs_api)          \
  API(create_partitions_api)         \
  API(incremental_alter_configs_api) \
  API(describe_cluster_api)          \
  API(describe_topic_partitions_api) \
  API(offset_commit_api)             \
  API(offset_fetch_api)              \
  API(find_coordinator_api)          \
  API(join_group_api)                \
  API(heartbeat_api)                 \
  API(leave_group_api)               \
  API(sync_group_api)                \
  API(describe_groups_api)           \
  API(list_groups_api)               \
  API(delete_groups_api)             \
  API(offset_delete_api)             \
  API(mirror_append_api)             \
  API(mirror_control_api)            \
  API(link_state_api)

#define FARSHORE_DECLARE(function) ApiEntry function();
FARSHORE_BROKER_APIS(FARSHORE_DECLARE)
#undef FARSHORE_DECLARE

const std::vector<ApiEntry>& api_table() {
#define FARSHORE_CALL(function) function(),
  static const std::vector<ApiEntry> table = [] {
    std::vector<ApiEntry> entries = {FARSHORE_BROKER_APIS(FARSHORE_CALL)};
    std::sort(entries.begin(), entries.end(), [](const ApiEntry& a, const ApiEntry& b) { return a.key < b.key; });
    for (size_t i = 0; i < entries.size(); ++i) {
      ensure(entries[i].handler && entries[i].min_version <= entries[i].max_version, "an API entry is complete");
      ensure(i == 0 || entries[i - 1].key != entries[i].key, "one handler per API key");
    }
    return entries;
  }();
#undef FARSHORE_CALL
  return table;
}

const ApiEntry* find_api(int16_t key) {
  const auto& table = api_table();
  auto it = std::lower_bound(table.begin(), table.end(), key,
                             [](const ApiEntry& entry, int16_t wanted) { return entry.key < wanted; });
  return it != table.end() && it->key == key ? &*it : nullptr;
}

}  // namespace farshore::broker
