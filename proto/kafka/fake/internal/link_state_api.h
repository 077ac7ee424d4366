// FakeKafka's LinkState: the link metastore of a Farshore cluster, in memory.
#pragma once

#include "proto/kafka/fake/call.h"
#include "proto/kafka/fake/cluster.h"

namespace farshore::kafka {

class LinkStateApi {
 public:
  explicit LinkStateApi(FakeCluster& cluster) : cluster_(cluster) {}
  void link_state(FakeCall& call);

 private:
  FakeCluster& cluster_;
  int64_t revision_ = 0;
};

}  // namespace farshore::kafka
