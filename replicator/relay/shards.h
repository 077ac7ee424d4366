// RelayShards: the transactional ids under which a gateway relays, and the fences that it makes with them. The
// partitions of a link are spread over kRelayShards shards: those whose translation is in one partition of the log of
// record. A shard has one transactional id, so a gateway takes 1,000 partitions over with 16 transactions.
//
//   first fence of a shard   InitProducerId takes the id from whoever has it: a session begins. The transaction has
//                            what is taken over, and the shard's partition of the log of record.
//   later fences             InitProducerId raises the session's own epoch (KIP-360). It fails if another gateway
//                            has begun a session meanwhile. The transaction has only what is taken over, so an
//                            accident of one partition disturbs no other: they go on under the epochs they have.
//
// Why it is exact: a partition's epochs rise with each of its takeovers, and its marker is the fence, whatever the
// other partitions of the shard have. The log of record is written under the epoch that began the session. Nobody else
// can write it until a later session begins, and then the next fence here fails. docs/decisions/0160-*.md.
//
// Fences of one shard that are asked for while one is under way go together in the next one (at most kFencedTogetherMax
// partitions). If a target refuses such a transaction because of one partition, its halves are tried.
// Executor: the Env's. Owner: RelaySink. Work runs in the sink's gate.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/client/id_owner.h"
#include "replicator/relay/journal.h"
#include "replicator/relay/options.h"

namespace farshore::replicator {

inline constexpr int32_t kRelayShards = kTranslationLogPartitions;
inline constexpr size_t kFencedTogetherMax = 1000;  // partitions of one transaction

// farshore.<link id>.shard.<number>: which gateway may relay the partitions of the key's shard.
std::string relay_shard_id(const LinkPartition& key);
// The id that a partition of its own had before there were shards: farshore.<link id>.<source topic id>.<partition>.
std::string relay_partition_id(const LinkPartition& key);

class RelayShards {
 public:
  struct Fenced {
    kafka::ProducerIdentity producer;  // writes the partition from here on
    kafka::ProducerIdentity log;       // writes the shard's part of the log of record; its marker began the session
    uint64_t session = 0;
    MonoTime asked;  // the cluster took this gateway for the owner, then or later
  };
  struct Session {
    std::string id;  // transactional
    uint64_t number = 0;
    kafka::ProducerIdentity producer;  // of the newest fence
    TopicPartition log;
    MonoTime used;  // when the id was used last
  };

  // References outlive it, and the gate is closed before it goes.
  RelayShards(Env& env, kafka::ClusterClient& cluster, const RelaySinkOptions& options, Gate& gate)
      : env_(env), cluster_(cluster), options_(options), gate_(gate) {}

  // Resolves when the markers of `at` are being written. kFenced: another gateway has begun a session, or this one's
  // was ended; the next call begins a new one. Other errors as kafka::fence().
  Task<Result<Fenced>> fence(LinkPartition key, TopicPartition at, TopicPartition log, Deadline deadline);

  // For work on the log of record alone: the session's writer of it. Begins a session if there is none, and then fences
  // nothing but the log. Errors as fence().
  Task<Result<Fenced>> log_writer(LinkPartition key, TopicPartition log, Deadline deadline);

  // ok: the session goes on. Otherwise why its partitions must be taken over again: kFenced, kUnavailable.
  Status check(const LinkPartition& key, uint64_t session) const;
  std::optional<Session> session(const LinkPartition& key) const { return session_of(relay_shard_id(key)); }
  std::optional<Session> session_of(const std::string& id) const;
  // The next fence() begins a new session: another gateway has the shard, or the log of record needs a new writer.
  void end(const std::string& id, uint64_t session, Error why);

  // What `owners`, asked for while `asked` was the session, says of it. ok: this gateway owned the shard then. kFenced:
  // it does not any more. kUnavailable: not known, or the session has ended.
  Status judge(const Session& asked, const kafka::IdOwners& owners) const;
  // Uses the id, so that it does not expire: raises the session's epoch. kFenced as judge().
  Task<Status> use(Session session);

 private:
  struct Wish {
    explicit Wish(Reactor& reactor, TopicPartition partition) : at(std::move(partition)), done(reactor) {}
    const TopicPartition at;
    Result<Fenced> result = Error(ErrorCode::kInternal);
    Event done;
  };
  using Wishes = std::vector<std::shared_ptr<Wish>>;
  struct Shard {
    explicit Shard(Reactor& reactor) : turn(reactor) {}
    AsyncMutex turn;                                 // one transaction of the id at a time
    std::optional<kafka::ProducerIdentity> current;  // none: no session
    kafka::ProducerIdentity log_owner;
    TopicPartition log;
    uint64_t session = 0;
    MonoTime used;
    bool raising = false;  // it is not known whether the epoch at the cluster is one above `current`
    bool working = false;
    Error ended;  // why there is no session
    Wishes waiting;
  };

  Shard* find(const LinkPartition& key) const;
  Task<void> work(std::string id);
  Task<void> carry_out(std::string id, Wishes wishes);
  Task<Result<Fenced>> fence_together(std::string id, std::vector<TopicPartition> partitions);
  // One attempt, in the shard's turn. `begins`: a session begins with it; set.
  Task<Result<kafka::ProducerIdentity>> attempt(std::string id, std::vector<TopicPartition> partitions, bool& begins,
                                                Deadline deadline);
  Task<Result<kafka::ProducerIdentity>> raise(std::string id, bool& begins, Deadline deadline);
  Task<Result<kafka::ProducerIdentity>> raise_own(std::string id, Deadline deadline);
  static void end_session(Shard& shard, Error why);

  Env& env_;
  kafka::ClusterClient& cluster_;
  const RelaySinkOptions& options_;
  Gate& gate_;
  uint64_t sessions_ = 0;
  std::map<std::string, std::unique_ptr<Shard>> shards_;  // by transactional id; kept until the sink goes
};

}  // namespace farshore::replicator
