// ClusterView: brokers, topics and partition leaders as Metadata responses showed them. It does not change while
// somebody other than its ClusterClient holds it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/net.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {

struct ClusterView {
  struct Broker {
    Endpoint endpoint;
    std::string rack;
  };
  struct Partition {
    int16_t error_code = 0;  // Kafka's
    int32_t leader = -1, leader_epoch = -1;
    std::vector<int32_t> replicas, isr;
  };
  struct Topic {
    std::string name;
    Uuid id;  // zero: the broker is older than topic ids (KIP-516)
    bool internal = false;
    int16_t error_code = 0;
    std::map<int32_t, Partition> partitions;
  };
  std::string cluster_id;
  int32_t controller = -1;
  std::map<int32_t, Broker> brokers;
  std::map<std::string, Topic> topics;  // those that were asked for, each as last seen

  // nullptr: the view does not have it.
  const Partition* partition(std::string_view topic, int32_t index) const;
  // Takes over cluster id, controller, brokers and the topics of `response`; other topics stay.
  void apply(const MetadataResponse& response);
};

}  // namespace farshore::kafka
