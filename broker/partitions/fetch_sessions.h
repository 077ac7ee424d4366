// Incremental fetch sessions (KIP-227). The broker remembers which partitions a client follows and the offsets that it
// last announced to it. So a request names only partitions that changed, and so does a response. Pure logic: no I/O, no
// clock (time is an argument). Executor: the broker's.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "broker/partitions/progress.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

class Partition;

// One partition of a fetch: the last request for it, and the values last announced to the client.
struct FetchTarget {
  std::string topic;  // empty when the client speaks topic ids
  TopicId topic_id;   // zero when it speaks names
  int32_t partition = 0;
  int32_t current_leader_epoch = -1;
  int64_t fetch_offset = 0;
  int32_t last_fetched_epoch = -1;
  int32_t bytes_max = 0;
  // Last announced; -1: nothing, so the next answer is a change.
  int64_t announced_high_watermark = -1;
  int64_t announced_log_start = -1;

  // The session's own.
  uint64_t place = 0;                    // in the order in which the client asked
  bool due = false;                      // in FetchSession::due()
  bool moved = false;                    // something happened since serving it began
  std::shared_ptr<ProgressWatch> watch;  // of the partition, while it was found
  const Partition* watched = nullptr;    // compared only, and only while `watch` is active
};

// The parts of a partition's response that a session compares.
struct FetchAnswer {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  int64_t high_watermark = -1;
  int64_t log_start = -1;
  bool has_records = false;
  bool diverging = false;
};

// The partitions that a client follows. Those that are *due* are looked at by a fetch, in the order in which they are
// served: what the client asked anew, what was not served to its end, errors, and what moved. The others are idle:
// there is nothing to tell about them, and they cost nothing. References stay valid until the partition is forgotten.
class FetchSession {
 public:
  using Targets = std::list<FetchTarget>;
  using Position = Targets::iterator;

  // Adds the partition, or replaces what was asked for it before (the announced values stay). It is due.
  void put(FetchTarget target);
  bool forget(const FetchTarget& which);  // by topic and partition; false: was not there
  Targets& due() { return due_; }
  Targets& idle() { return idle_; }
  size_t size() const { return due_.size() + idle_.size(); }

  // Makes `at` due whenever the partition moves, and calls wake().
  void watch(Position at, Partition& partition);
  // From now on `at` is idle, unless the partition moved since `moved` was reset.
  void settle(Position at);
  // Called when a partition became due by itself; empty: nobody waits.
  void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  // Notes the answer. True if the client must see it: always for a full fetch, else only a change (records, another
  // high watermark or log start, an error, a divergence).
  bool note(FetchTarget& target, const FetchAnswer& answer, bool full);
  // What note() would say, without noting it.
  static bool tells(const FetchTarget& target, const FetchAnswer& answer);
  // Served with records: after all others next time, so that no partition starves behind the byte limits.
  void move_to_back(Position at) { due_.splice(due_.end(), due_, at); }

 private:
  friend class FetchSessionCache;
  struct Key {
    std::string topic;
    TopicId topic_id;
    int32_t partition;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };
  static Key key_of(const FetchTarget& target) { return {target.topic, target.topic_id, target.partition}; }

  void make_due(Position at);

  Targets due_, idle_;
  uint64_t next_place_ = 0;
  std::function<void()> wake_;
  std::unordered_map<Key, Position, KeyHash> index_;  // never iterated
  // Set by the cache; id 0: not in it.
  int32_t id_ = 0, next_epoch_ = 1;
  bool uses_topic_ids_ = false, busy_ = false;
  MonoTime used_;
  size_t counted_ = 0;  // partitions that the cache counts for it
};

struct FetchSessionRequest {
  int32_t session_id = 0;
  int32_t epoch = -1;  // 0: full, and a session if there is room; -1: full, without one (also before version 7)
  bool uses_topic_ids = false;
  std::vector<FetchTarget> targets;
  std::vector<FetchTarget> forgotten;  // topic and partition only
};

// One fetch under way. The session in it is this fetch's alone until FetchSessionCache::finish.
struct FetchPlan {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;  // else nothing below counts: answered at the top level
  std::shared_ptr<FetchSession> session;
  bool full = true;            // every partition is answered
  bool wants_session = false;  // a full fetch that asks for one
};

struct FetchSessionLimits {
  size_t sessions_max = 1000;       // max.incremental.fetch.session.cache.slots
  size_t partitions_max = 1 << 20;  // of all sessions together
  Duration eviction = minutes(2);   // a session unused for so long gives way to a new one; a younger one does not
};

class FetchSessionCache {
 public:
  explicit FetchSessionCache(Random random, FetchSessionLimits limits = {}) : random_(random), limits_(limits) {}

  // Errors in the plan, as Kafka's: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
  // FETCH_SESSION_TOPIC_ID_ERROR. The client then starts again with a full fetch. Two requests of one session at the
  // same time cannot both be right: the second is refused, and the session ends.
  FetchPlan begin(FetchSessionRequest request, MonoTime now);
  // The response is complete. Returns the session id to answer with; 0: no session (the next fetch is full again).
  // Must be called for every plan without error, also when the fetch failed (`keep` false: the session ends).
  int32_t finish(FetchPlan& plan, bool keep, MonoTime now);

  size_t session_count() const { return sessions_.size(); }
  size_t partition_count() const { return partitions_; }
  uint64_t evictions() const { return evictions_; }

 private:
  using Sessions = std::map<int32_t, std::shared_ptr<FetchSession>>;
  using ByUse = std::map<std::pair<MonoTime, int32_t>, int32_t>;
  FetchPlan begin_full(FetchSessionRequest request);
  FetchPlan begin_incremental(FetchSessionRequest request, MonoTime now);
  void remove(FetchSession& session);
  // Evicts until another session of `size` partitions fits; false: there is no room, and nothing old enough.
  bool make_room(size_t size, MonoTime now);

  Random random_;
  FetchSessionLimits limits_;
  Sessions sessions_;
  // By time of last use: the first one goes first.
  ByUse by_use_;
  size_t partitions_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace farshore::broker
