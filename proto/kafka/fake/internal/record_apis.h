// FakeKafka's APIs about one partition's records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DescribeProducers.
#pragma once

#include "base/env.h"
#include "base/event.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/fake/cluster.h"
#include "proto/kafka/messages/fetch.h"

namespace farshore::kafka {

class RecordApis {
 public:
  // `appended` is notified after each append, and closed when the broker stops. References outlive this object.
  RecordApis(Env& env, FakeCluster& cluster, Notifier& appended) : env_(env), cluster_(cluster), appended_(appended) {}

  bool produce(FakeCall& call);      // false: hang up
  Task<void> fetch(FakeCall& call);  // waits for records as long as the request says
  void list_offsets(FakeCall& call);
  void offset_for_leader_epoch(FakeCall& call);
  void describe_producers(FakeCall& call);

 private:
  using Asked = FetchRequest::FetchPartition;
  using Answer = FetchResponse::PartitionData;
  // Fills `answer`; the records go to `out`. False: `answer` has an error or a diverging epoch.
  bool read(const FakePartition* from, const Asked& asked, size_t bytes_before, Answer& answer,
            std::vector<std::byte>& out);
  bool happens(double chance) { return chance > 0 && env_.random().below(1'000'000) < chance * 1e6; }

  Env& env_;
  FakeCluster& cluster_;
  Notifier& appended_;
};

}  // namespace farshore::kafka
