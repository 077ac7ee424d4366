// RelayOwnership: makes sure that a gateway relays a partition only while the target's cluster still takes it for the
// partition's owner. The fence alone (takeover.h) does not hold for ever: a cluster forgets idle transactional ids, and
// a partition forgets idle producers (proto/kafka/client/id_owner.h). So two rules hold besides the fence:
//
//   - Ask.  Nothing is sent, and nothing is written down, for a partition whose ownership was confirmed longer than
//           `ownership_max` ago. It is confirmed every `ownership_check_every`, one request per coordinator.
//   - Use.  The transactional id is used (an abort marker in the log of record) long before it can expire.
//
// An id that another gateway owns, or that the cluster has forgotten, is a fence. A gateway that gets a new producer id
// waits for `old_producer_wait`, which is longer than `ownership_max` and one request: the former owner, wherever it
// is, has sent its last by then. docs/decisions/0140-relay-confirms-its-ownership.md.
// Executor: the Env's. Owner: RelaySink. Work runs in the sink's gate.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/id_owner.h"
#include "proto/link/link_partition.h"
#include "replicator/relay/options.h"

namespace farshore::replicator {

// The transactional id of a partition. Its producer epoch decides which gateway may relay the partition: farshore.<link
// id>.<source topic id>.<partition>.
std::string relay_transactional_id(const LinkPartition& key);

// ok: `producer` owns the id. kFenced: another one does, or the cluster has forgotten the id. kUnavailable: `owners`
// does not speak of it.
Status relay_owner_is(const kafka::IdOwners& owners, const std::string& transactional_id,
                      kafka::ProducerIdentity producer);

struct OwnedPartition {
  LinkPartition key;
  uint64_t attempt = 0;  // RelayPartition::attempt()
  kafka::ProducerIdentity producer;
  TopicPartition log;  // of the log of record
  MonoTime taken;      // when it was taken over
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
  RelayOwnership(Env& env, kafka::ClusterClient& cluster, const RelaySinkOptions& options, Partitions& partitions,
                 Gate& gate);

  void start();  // the first call starts the rounds
  void wake() { wake_.notify(); }
  void stop() { wake_.close(); }

 private:
  Task<void> run();
  Task<void> round();
  void judge(const std::vector<OwnedPartition>& owned, const kafka::IdOwners& owners, MonoTime asked);
  Task<void> learn_lifetime();
  void use_ids(const std::vector<OwnedPartition>& owned);
  Task<void> use_id(OwnedPartition owned);
  Duration use_every() const;

  struct Used {
    uint64_t attempt = 0;
    MonoTime at;
  };
  Env& env_;
  kafka::ClusterClient& cluster_;
  const RelaySinkOptions& options_;
  Partitions& partitions_;
  Gate& gate_;
  Notifier wake_;
  std::map<LinkPartition, Used> used_;
  int using_ = 0;  // use_id() under way
  Duration lifetime_{};
  std::optional<MonoTime> lifetime_asked_;
  bool started_ = false, told_unsupported_ = false;
};

}  // namespace farshore::replicator
