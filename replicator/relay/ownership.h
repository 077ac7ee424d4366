// RelayOwnership: makes sure that a gateway relays a partition only while the target's cluster still takes it for the
// owner of the partition's shard (shards.h). The fence alone (takeover.h) does not hold for ever: a cluster forgets
// idle transactional ids, and a partition forgets idle producers (proto/kafka/client/id_owner.h). So two rules hold
// besides the fence:
//
//   - Ask.  Nothing is sent, and nothing is written down, for a partition whose ownership was confirmed longer than
//           `ownership_max` ago. It is confirmed every `ownership_check_every`, one request per coordinator.
//   - Use.  The transactional id is used (its epoch is raised) long before it can expire.
//
// An id that another gateway owns, or that the cluster has forgotten, is a fence. A gateway that gets a new producer id
// waits for `old_producer_wait`, which is longer than `ownership_max` and one request: the former owner, wherever it
// is, has sent its last by then. docs/decisions/0140-relay-confirms-its-ownership.md, 0160.
// Executor: the Env's. Owner: RelaySink. Work runs in the sink's gate.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/id_owner.h"
#include "proto/link/link_partition.h"
#include "replicator/relay/options.h"
#include "replicator/relay/shards.h"

namespace farshore::replicator {

struct OwnedPartition {
  LinkPartition key;
  uint64_t attempt = 0;  // RelayPartition::attempt()
  uint64_t session = 0;  // of its shard
};

class RelayOwnership {
 public:
  class Partitions {
   public:
    virtual ~Partitions() = default;
    virtual std::vector<OwnedPartition> owned() = 0;  // all that are open now
    // The cluster was asked at `asked`, and this gateway was the owner.
    virtual void still_owned(const OwnedPartition& owned, MonoTime asked) = 0;
    virtual void lost(const OwnedPartition& owned, const Error& fenced) = 0;
  };

  // References outlive it, and the gate is closed before it goes.
  RelayOwnership(Env& env, kafka::ClusterClient& cluster, const RelaySinkOptions& options, RelayShards& shards,
                 Partitions& partitions, Gate& gate);

  void start();  // the first call starts the rounds
  void wake() { wake_.notify(); }
  void stop() { wake_.close(); }

 private:
  using Sessions = std::map<std::string, RelayShards::Session>;  // by transactional id
  Task<void> run();
  Task<void> round();
  // The sessions of what is open; partitions of sessions that have ended are lost.
  Sessions drop_ended();
  void confirm(const RelayShards::Session& session, MonoTime asked);
  Task<void> learn_lifetime();
  void use_ids(const Sessions& sessions);
  Task<void> use_id(RelayShards::Session session);
  Duration use_every() const;

  Env& env_;
  kafka::ClusterClient& cluster_;
  const RelaySinkOptions& options_;
  RelayShards& shards_;
  Partitions& partitions_;
  Gate& gate_;
  Notifier wake_;
  std::set<std::string> using_;  // use_id() under way
  Duration lifetime_{};
  std::optional<MonoTime> lifetime_asked_;
  bool started_ = false, told_unsupported_ = false;
};

}  // namespace farshore::replicator
