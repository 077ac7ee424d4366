// Questions to a cluster before a link uses it: which cluster is it, is it a Farshore cluster of this release, and may
// its producer ids be mixed with those of the other end. On a ClusterAdmin's connections; the cluster may be Farshore
// or Apache Kafka. Executor: the Env's.
#pragma once

#include <string>

#include "proto/kafka/client/cluster_admin.h"

namespace farshore::linker {

using kafka::ClusterAdmin;
using kafka::GroupInfo;
using kafka::GroupOffset;
using kafka::GroupOffsets;
using kafka::TopicInfo;

struct ClusterIdentity {
  ClusterId cluster_id;
  bool farshore = false;    // the cluster has Farshore's own APIs
  std::string incarnation;  // of the cluster's metadata: a new value after it was wiped. Empty: Apache Kafka
};

// kUnavailable, kTimedOut: no broker answers. kConflict: another cluster than the admin's `cluster_id` is at the
// address. kUnsupported: a Farshore cluster of another release (says which).
Task<Result<ClusterIdentity>> identify(ClusterAdmin& cluster, Deadline deadline);

// Both ends give out producer ids, and a mirror keeps the ids of the source. If both ends use the same salt, a promoted
// topic can take a new producer's records for retries of an old producer and drop them. kConflict: the salts are equal
// (says the remedy). ok if the source is not a Farshore cluster: ids of Apache Kafka have no salt.
Task<Status> refuse_equal_salts(ClusterAdmin& source, ClusterAdmin& target, Deadline deadline);

}  // namespace farshore::linker
