// What every handler may use. One per broker process; made by Broker, lives as long as it.
#pragma once

#include "base/config.h"
#include "base/env.h"
#include "base/slab.h"

namespace farshore::broker {

class MetadataManager;    // metadata.h: the image, and every change to it
class PartitionTable;     // partition_table.h: open partitions of this broker
class FetchSessionCache;  // fetch_sessions.h
class ProducerIds;        // producer_ids.h
class GroupCoordinator;   // groups/coordinator.h
class MirrorTargets;      // mirror/mirror_targets.h: sessions and compare state of mirror partitions
class RequestMetrics;     // request_metrics.h
struct BrokerOptions;     // broker_config.h: the configuration, parsed once

struct Services {
  Env& env;
  SlabArena& arena;
  const Config& config;
  const BrokerOptions& options;
  RequestMetrics& metrics;
  MetadataManager& metadata;
  PartitionTable& partitions;
  FetchSessionCache& fetch_sessions;
  ProducerIds& producer_ids;
  GroupCoordinator& groups;
  MirrorTargets& mirrors;
};

}  // namespace farshore::broker
