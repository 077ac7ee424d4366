// RelayTarget: the calls that a takeover makes on a Kafka cluster. Each waits out what passes (no leader, no
// coordinator, CONCURRENT_TRANSACTIONS) until its deadline.
// Executor: the Env's. No state but the connections of the ClusterClient.
// Source: KIP-98 (transactions), KIP-360 (epochs), KIP-664 (DescribeProducers); tried on Apache Kafka 4.1.1.
#pragma once

#include <string>
#include <vector>

#include "base/env.h"
#include "proto/kafka/cluster_client.h"
#include "replicator/relay_scan.h"

namespace farshore::replicator {

struct TargetEnds {
  TargetOffset log_start, high_watermark;
};

class RelayTarget {
 public:
  // References outlive it. `timeout`: of one request.
  RelayTarget(Env& env, kafka::ClusterClient& cluster, Duration timeout)
      : env_(env), cluster_(cluster), timeout_(timeout), slabs_(arena_) {}

  // kNotFound: no such topic or partition.
  Task<Result<TargetEnds>> ends(TopicPartition at, Deadline deadline);
  // What the partition's leader remembers of producers; empty from a broker that cannot tell.
  Task<Result<std::vector<RememberedProducer>>> producers(TopicPartition at, Deadline deadline);
  // Where the records of the leader epochs up to `epoch` end; nothing if the target cannot tell.
  Task<Result<std::optional<TargetOffset>>> end_of_epoch(TopicPartition at, LeadershipEpoch epoch, Deadline deadline);
  // InitProducerId, AddPartitionsToTxn, EndTxn(abort). When it resolves the markers are on their way to every
  // partition. kFenced: lost against other takeovers, again and again.
  Task<Result<RelayProducer>> fence(std::string transactional_id, std::vector<TopicPartition> partitions,
                                    Deadline deadline);
  // Only InitProducerId, which fences nothing: for a planted bug.
  Task<Result<RelayProducer>> init_producer(std::string transactional_id, Deadline deadline);
  // Reads as long as each answer brings something; kTimedOut if nothing comes until `patience` has passed.
  Task<Result<RelayScan>> scan(RelayScanRange range, Duration patience);

 private:
  template <class Request, class CodeOf>
  Task<Result<typename Request::Response>> at_leader(TopicPartition at, Request request, CodeOf code_of,
                                                     Deadline deadline);
  template <class Request, class CodeOf>
  Task<Result<typename Request::Response>> at_coordinator(std::string id, Request request, CodeOf code_of,
                                                          Deadline deadline);
  Task<Result<TargetOffset>> offset_at(TopicPartition at, int64_t timestamp, Deadline deadline);
  Task<Status> abort(std::string transactional_id, RelayProducer producer, std::vector<TopicPartition> partitions,
                     Deadline deadline);
  // Before the next try; says what the last one said when there is no time for another.
  Task<Status> pause(int tries, Error last, Deadline deadline);
  Deadline attempt(Deadline deadline) { return std::min(deadline, env_.in(timeout_)); }

  Env& env_;
  kafka::ClusterClient& cluster_;
  const Duration timeout_;
  SlabArena arena_;
  SlabWriter slabs_;
};

}  // namespace farshore::replicator
