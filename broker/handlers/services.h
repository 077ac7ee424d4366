// Services: the objects that handlers use. One per broker; made by Broker, lives as long as the broker.
#pragma once

#include "base/config.h"
#include "base/env.h"
#include "base/slab.h"

namespace farshore::broker {

class ApiTable;           // net/api_table.h
class FetchSessionCache;  // partitions/fetch_sessions.h
class GroupCoordinator;   // groups/coordinator.h
class LinkFences;         // mirror/link_fences.h
class MetadataManager;    // metadata/metadata.h: the image, and every change to it
class MirrorTargets;      // mirror/mirror_targets.h: sessions and appends of mirror partitions
class MirrorTopics;       // mirror/mirror_topics.h
class TopicFences;        // mirror/topic_fences.h
class PartitionTable;     // partitions/partition_table.h: the open partitions of this broker
class ProducerIds;        // metadata/producer_ids.h
class Promotions;         // mirror/promotions.h
class RequestMetrics;     // net/request_metrics.h
class TopicCreator;       // partitions/topic_creator.h

struct Services {
  Env& env;
  const Config& config;  // the broker's properties (broker_config.h)
  const ApiTable& apis;
  RequestMetrics& metrics;
  MetadataManager& metadata;
  PartitionTable& partitions;
  TopicCreator& topics;
  FetchSessionCache& fetch_sessions;
  ProducerIds& producer_ids;
  GroupCoordinator& groups;
  MirrorTopics& mirror_topics;
  TopicFences& topic_fences;
  LinkFences& link_fences;
  MirrorTargets& mirror_targets;
  Promotions& promotions;
};

}  // namespace farshore::broker
