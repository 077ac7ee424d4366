#include "broker/handlers/api_table.h"

#include "broker/handlers/internal/entries.h"

namespace farshore::broker {

std::vector<ApiEntry> broker_apis() {
  return {
      produce_api(),
      fetch_api(),
      list_offsets_api(),
      init_producer_id_api(),
      offset_for_leader_epoch_api(),
      delete_records_api(),
      describe_producers_api(),
      metadata_api(),
      api_versions_api(),
      create_topics_api(),
      delete_topics_api(),
      describe_configs_api(),
      alter_configs_api(),
      describe_log_dirs_api(),
      create_partitions_api(),
      incremental_alter_configs_api(),
      describe_cluster_api(),
      describe_topic_partitions_api(),
      offset_commit_api(),
      offset_fetch_api(),
      find_coordinator_api(),
      join_group_api(),
      heartbeat_api(),
      leave_group_api(),
      sync_group_api(),
      describe_groups_api(),
      list_groups_api(),
      delete_groups_api(),
      offset_delete_api(),
      mirror_append_api(),
      mirror_control_api(),
      link_state_api(),
  };
}

}  // namespace farshore::broker
