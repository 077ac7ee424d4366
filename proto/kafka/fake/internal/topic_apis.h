// FakeKafka's APIs that create and configure topics. Any config name is accepted; a value is refused only below
// FakeCluster::config_minimums.
#pragma once

#include <string>

#include "proto/kafka/fake/call.h"
#include "proto/kafka/fake/cluster.h"
#include "proto/kafka/refusal.h"

namespace farshore::kafka {

class TopicApis {
 public:
  explicit TopicApis(FakeCluster& cluster) : cluster_(cluster) {}
  void create_topics(FakeCall& call);
  void describe_configs(FakeCall& call);
  void alter_configs(FakeCall& call);

 private:
  Refusal check(const std::string& name, const std::string& value) const;
  FakeCluster& cluster_;
};

}  // namespace farshore::kafka
