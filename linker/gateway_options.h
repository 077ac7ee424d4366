// The settings of a Gateway, fixed when it is made.
#pragma once

#include <vector>

#include "base/net.h"
#include "replicator/replicator.h"

namespace farshore::linker {

struct GatewayOptions {
  std::vector<Endpoint> target;  // where links are stored, and the default target of new ones
  ClusterId target_cluster_id;   // any other cluster behind the address is refused; empty: any
  Duration retry = seconds(1);   // while the target does not answer at the start
  Duration watch = seconds(2);   // how often it is asked whether another gateway has taken over
  size_t links_max = 256;
  size_t metrics_topics_max = 100;           // of each link: topics with series of their own in /metrics
  replicator::ReplicatorOptions replicator;  // of every link; a link's definition wins
};

}  // namespace farshore::linker
