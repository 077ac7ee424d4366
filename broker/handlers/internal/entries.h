// The API table's entries. Each function is at the end of its handler's file, which has the same name.
#pragma once

#include "broker/net/api_table.h"

namespace farshore::broker {

ApiEntry produce_api();
ApiEntry fetch_api();
ApiEntry list_offsets_api();
ApiEntry init_producer_id_api();
ApiEntry offset_for_leader_epoch_api();
ApiEntry delete_records_api();
ApiEntry describe_producers_api();
ApiEntry metadata_api();
ApiEntry api_versions_api();
ApiEntry create_topics_api();
ApiEntry delete_topics_api();
ApiEntry describe_configs_api();
ApiEntry alter_configs_api();
ApiEntry describe_log_dirs_api();
ApiEntry create_partitions_api();
ApiEntry incremental_alter_configs_api();
ApiEntry describe_cluster_api();
ApiEntry describe_topic_partitions_api();
ApiEntry offset_commit_api();
ApiEntry offset_fetch_api();
ApiEntry find_coordinator_api();
ApiEntry join_group_api();
ApiEntry heartbeat_api();
ApiEntry leave_group_api();
ApiEntry sync_group_api();
ApiEntry describe_groups_api();
ApiEntry list_groups_api();
ApiEntry delete_groups_api();
ApiEntry offset_delete_api();
ApiEntry mirror_append_api();
ApiEntry mirror_control_api();
ApiEntry link_state_api();

}  // namespace farshore::broker
