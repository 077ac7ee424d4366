// The broker's properties: Kafka's names and defaults for what we serve, our own for the rest. server.properties, --set
// and tests all go through broker_schema(): an unknown key is refused, and the nearest valid one is named.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/net.h"
#include "broker/groups/group_options.h"
#include "broker/net/server_options.h"
#include "broker/partitions/partition_options.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {

const ConfigSchema& broker_schema();

// Defects that only tests inject, to see that they find them.
struct BrokerPlants {
  bool high_watermark_before_truncation = false;  // PartitionOptions::inject_high_watermark_before_truncation
};

// The properties, parsed and checked once: each part for the room that it belongs to.
struct BrokerOptions {
  BrokerId id;
  std::string rack;
  std::string cluster_id;        // empty: made on first start
  int64_t producer_id_salt = 0;  // 0: as stored, random at first
  Endpoint advertised;           // empty host: the address that is really bound
  ServerOptions server;
  PartitionOptions partitions;
  TopicLimits topics;
  GroupOptions groups;
  size_t fetch_sessions_max = 0;  // max.incremental.fetch.session.cache.slots
};

// kInvalidArgument: keys that contradict each other, or an address that is none. kUnsupported: see UNSUPPORTED.md.
Result<BrokerOptions> broker_options(const Config& config, BrokerPlants plants = BrokerPlants());

}  // namespace farshore::broker
