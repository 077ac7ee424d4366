// Fetcher: reads many partitions from one broker of the source, in one incremental fetch session (KIP-227), and hands
// what comes to their pumps while it is still arriving. One connection, one coroutine.
//
//   positions that changed -> Fetch -> batches, as they arrive -> pump.on_fetched
//
// A consumer's fetch: bounded by the source's high watermark, control batches included, with the last fetched epoch,
// so that a source with another history says so (KIP-320, KIP-595). Idle partitions cost nothing per request.
// Steady small traffic is gathered: after a small response the next request waits up to `lag_target`.
// Executor: its replicator's. A source that is silent is given up after `max_wait` + `silence_max`.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/budget.h"
#include "base/env.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/catch_up.h"
#include "replicator/pump.h"

namespace farshore::replicator {

struct FetcherOptions {
  Duration max_wait = milliseconds(500);      // of a long poll at the source
  Duration silence_max = milliseconds(9500);  // beyond max_wait, for a whole response
  Duration lag_target = milliseconds(2);      // how long the next fetch may wait for more, after a small response
  size_t small_response_bytes = 64 << 10;
  size_t response_bytes_max = 32 << 20;
  size_t partition_bytes_max = 16 << 20;
  Duration backoff_min = milliseconds(50), backoff_max = seconds(2);
  Duration partition_backoff = milliseconds(300);  // after an error of one partition
  // Of all that is received and not yet acknowledged (see Fetcher::window_bytes): little enough to stay in a cache.
  size_t window_bytes_min = 8 << 20;
  // A partition that is far behind is read ahead (see catch_up.h) where a round trip takes at least so long ...
  Duration ahead_round_trip_min = milliseconds(10);
  // ... by fetches of so much (more where batches are large), after some smaller ones; what is nearer to the end than
  // the smallest is the session's ...
  size_t ahead_ask_bytes = 4 << 20, ahead_ask_bytes_min = 256 << 10;
  Duration ahead_backoff = seconds(1);  // after it failed
  size_t ahead_bytes_max = 48 << 20;    // ... and so much asked for at a time; 0: never
};

// Called from inside the fetcher: take note, act later.
class FetcherOwner {
 public:
  virtual ~FetcherOwner() = default;
  // The partition is not here (any more), or the broker cannot be reached: find its leader again.
  virtual void fetcher_lost_partition(const PumpKey& key) = 0;
  virtual Duration target_round_trip() const = 0;  // 0: not known yet
};

class Fetcher final : private CatchUpOwner {
 public:
  // All references outlive it. `budget` bounds what is received and not yet written to the target.
  Fetcher(Env& env, kafka::ClusterClient& source, int32_t broker, SlabArena& arena, Budget& budget,
          const FetcherOptions& options, FetcherOwner& owner);
  ~Fetcher() override;

  // The pump must stay until remove(). `leader_epoch`: of the source's metadata, -1 if it is not known.
  void add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch);
  void remove(const PumpKey& key);
  void changed(const PumpKey& key);  // next() of this pump answers differently
  bool empty() const { return entries_.empty(); }

  Task<void> run();  // until stop()
  void stop();

  int32_t broker() const { return broker_; }
  bool contacted() const { return contacted_; }            // a whole response ever came
  MonoTime last_contact() const { return last_contact_; }  // when the last one did
  // When it had been asked for. What the source said is at least as new as that; of later times nothing is known: an
  // answer may have waited in a socket while this process was stopped.
  MonoTime known_as_of() const;
  const CatchUp& catch_up() const { return catch_up_; }
  Error last_error(const PumpKey& key) const;  // of the connection, or of this partition; kNone while all is well

 private:
  class Visitor;
  struct Entry {
    PartitionPump* pump = nullptr;
    PumpKey key;
    std::string topic;
    LeadershipEpoch leader_epoch;
    bool in_session = false;
    std::optional<FetchPosition> asked;  // what the session holds
    MonoTime held_until;                 // after an error
    MonoTime ahead_from;                 // not read ahead before that: it failed
    Error error;                         // of the last response
  };
  using Id = std::pair<TopicId, int32_t>;
  static Id id_of(const PumpKey& key) { return {key.source_topic.value(), key.partition.value()}; }
  Entry* find(const TopicId& topic, int32_t partition);
  void mark(Entry& entry);
  void hold(Entry& entry, Error error);
  void forget_session();
  void catch_up_ended(const PumpKey& key, const Error& why) override;
  void catch_up_heard() override;
  size_t window_bytes() const;
  bool far_behind(const Entry& entry, SourceOffset source_end, double bytes_per_offset) const;

  Task<Status> connected();  // one connection's life
  Task<Status> fetch_once(kafka::Client& client);
  Task<Status> find_offsets(kafka::Client& client);        // for partitions out of range
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
  std::vector<kafka::FetchRequest::ForgottenTopic> forgotten_;
  int32_t session_id_ = 0, session_epoch_ = 0;
  size_t in_session_ = 0;
  size_t response_bytes_max_;
  size_t response_bytes_ = 0;  // of records, in the last response
  bool full_ = false;          // a pump would be asked, but holds all it may
  bool progressed_ = false;    // records came in the response under way
  std::unique_ptr<kafka::Client> client_;
  MonoTime last_contact_, known_as_of_;
  bool contacted_ = false, connection_worked_ = false;
  Error last_error_;
};

}  // namespace farshore::replicator
