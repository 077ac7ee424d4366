// Fetcher: reads many partitions from one broker of the source, in one incremental fetch session (KIP-227), and hands
// batches to their pumps while the response is still arriving. One connection, one coroutine.
//
//   positions that changed -> FetchSession -> Fetch -> FetchDelivery: batches, as they arrive -> pump.on_fetched
//
// A consumer's fetch: bounded by the source's high watermark, control batches included, with the last fetched epoch,
// so that a source with another history reports the divergence (KIP-320, KIP-595). Idle partitions cost nothing per
// request. Steady small traffic is gathered: after a small response the next request waits up to `lag_target`.
// Executor: its replicator's. A connection to a silent source ends after `max_wait` + `silence_max`.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/budget.h"
#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/catch_up.h"
#include "replicator/fetch_delivery.h"
#include "replicator/fetch_options.h"
#include "replicator/fetch_session.h"
#include "replicator/pump.h"

namespace farshore::replicator {

// Called from inside the fetcher: an implementation notes the call and acts later.
class FetcherOwner {
 public:
  virtual ~FetcherOwner() = default;
  // The partition is not here (any more), or the broker cannot be reached: find its leader again.
  virtual void fetcher_lost_partition(const LinkPartition& key) = 0;
  virtual Duration target_round_trip() const = 0;  // 0: not known yet
};

class Fetcher final : private CatchUpOwner, private FetchDeliveryOwner {
 public:
  // All references outlive it. `budget` bounds what is received and not yet written to the target.
  Fetcher(Env& env, kafka::ClusterClient& source, int32_t broker, SlabArena& arena, Budget& budget,
          const FetcherOptions& options, FetcherOwner& owner);
  ~Fetcher() override;

  // The pump must stay until remove(). `leader_epoch`: of the source's metadata, -1 if it is not known.
  void add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch);
  void remove(const LinkPartition& key);
  void changed(const LinkPartition& key);  // next() of this pump answers differently
  bool empty() const { return entries_.empty(); }

  Task<void> run();  // until stop()
  void stop();
  void reconnect();  // ends the connections; run() makes new ones

  int32_t broker() const { return broker_; }
  bool contacted() const { return contacted_; }            // a whole response ever came
  MonoTime last_contact() const { return last_contact_; }  // when the last one did
  // What the source has said about this partition is at least as new as that: the time when the last response was asked
  // for that covers it. A response of the session covers the partitions of the session, also those that it leaves out
  // because nothing changed, but not those that it has an error for. MonoTime(): the source has said nothing about it.
  // Nothing is known of later times: an answer may have waited in a socket while this process was stopped.
  MonoTime known_as_of(const LinkPartition& key) const {
    auto found = entries_.find(id_of(key));
    return found == entries_.end() ? MonoTime() : known_as_of(found->second);
  }
  const Error& connection_error() const { return last_error_; }  // kNone: the last one went well
  const CatchUp& catch_up() const { return catch_up_; }
  Error last_error(const LinkPartition& key) const;  // of the connection, or of this partition; kNone while all is well

 private:
  struct Entry : FetchedPartition {
    MonoTime held_until;                      // after an error
    MonoTime ahead_from;                      // not read ahead before that: it failed
    Error error;                              // of the last response
    MonoTime heard;                           // known_as_of(), before the session covered the partition
    MonoTime covered_from = MonoTime::max();  // the session's responses asked for since then cover it; max: none
  };
  using Id = std::pair<TopicId, int32_t>;
  static Id id_of(const LinkPartition& key) { return {key.source_topic.value(), key.partition.value()}; }
  Entry* find(const TopicId& topic, int32_t partition);
  void mark(Entry& entry);
  void hold(Entry& entry, Error error);
  void forget_session();
  MonoTime known_as_of(const Entry& entry) const;
  void uncover(Entry& entry);  // later responses of the session do not speak of it
  size_t window_bytes() const;
  bool far_behind(const Entry& entry, SourceOffset source_end, double bytes_per_offset) const;
  void read_ahead_if_far(Entry& entry, const FetchOutcome& outcome);
  bool refused(Entry& entry, const FetchOutcome& outcome);

  void catch_up_ended(const LinkPartition& key, const Error& why) override;
  void catch_up_answered() override;
  FetchedPartition* fetched_partition(const TopicId& id, int32_t partition) override { return find(id, partition); }
  TopicId topic_id_of(const std::string& name) override;
  MonoTime fetch_time() override { return env_.now(); }
  void fetch_received(size_t bytes) override;
  void fetch_handed_on(FetchedPartition& partition) override { mark(static_cast<Entry&>(partition)); }
  void fetch_ended(FetchedPartition& partition, const FetchOutcome& outcome) override;

  Task<Status> connected();  // one connection's life
  Task<Status> fetch_once(kafka::Client& client);
  void add_to_session(Id id, Entry& entry, kafka::FetchRequest& request, bool by_name);
  void limit(kafka::FetchRequest& request) const;
  Task<Status> find_ranges(kafka::Client& client);         // of partitions out of range
  bool build(kafka::FetchRequest& request, bool by_name);  // false: there is nothing to fetch
  Task<Status> wait_for_work();
  void release_held();

  Env& env_;
  kafka::ClusterClient& source_;
  const int32_t broker_;
  Budget& budget_;
  const FetcherOptions& options_;
  FetcherOwner& owner_;
  SlabWriter slabs_;
  Event stopping_;
  Notifier wake_;
  CatchUp catch_up_;
  Gate gate_;  // of catch_up_
  std::map<Id, Entry> entries_;
  std::map<std::string, TopicId> ids_by_name_;
  std::set<Id> changed_, held_, full_ones_;
  std::map<Id, uint32_t> out_of_range_;  // with the pump's generation when it was asked for
  FetchSession session_;
  size_t response_bytes_max_;
  size_t response_bytes_ = 0;  // of records, in the last response
  bool full_ = false;          // a pump would be asked, but holds all it may
  bool progressed_ = false;    // records came in the response under way
  std::unique_ptr<kafka::Client> client_;
  MonoTime last_contact_;
  MonoTime asking_at_, known_as_of_;  // of the request that is made, and of the last one that was answered
  bool contacted_ = false, connection_worked_ = false;
  Error last_error_;
};

}  // namespace farshore::replicator
