// CatchUp: reads partitions that are far behind over a long round trip, without waiting a round trip for each response.
// It asks ahead: several fetches on one connection, each at the offset where the one before it will have ended. The
// fetcher's session follows all other partitions. The session takes a partition back when it is near the end, or when
// anything but plain progress happens (an error, a divergence, bad bytes): the session handles those.
//
//   partition --(far behind)--> CatchUp: Fetch at 100, 180, 260, ... --(near, or trouble)--> session
//
// The end of a response is not known when the next one is asked for. It is guessed from the bytes per offset of earlier
// responses, a little too low. If the guess was too low, the pump drops batches that come twice. If it was too high,
// there is a gap: the answers in flight are thrown away, and the next guesses are lower. A pump only gets batches that
// follow what it has. Fetches ahead name a leader epoch that the source checks (KIP-320): within one epoch, records
// below the high watermark do not change, so an answer at a guessed offset belongs to the same history. Executor: its
// fetcher's. In flight: at most `ahead_bytes_max`, and never more than the budget has room for.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/budget.h"
#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/fetch_options.h"
#include "replicator/pump.h"

namespace farshore::replicator {

// Called from inside the catch-up: an implementation notes the call and acts later.
class CatchUpOwner {
 public:
  virtual ~CatchUpOwner() = default;
  // The session reads the partition again. kNone: it is near the end. Called while the partition is still here.
  virtual void catch_up_ended(const LinkPartition& key, const Error& why) = 0;
  virtual void catch_up_answered() = 0;  // a whole response came
};

class CatchUp {
 public:
  // All references outlive it.
  CatchUp(Env& env, kafka::ClusterClient& source, int32_t broker, SlabArena& arena, Budget& budget,
          const FetcherOptions& options, CatchUpOwner& owner);
  ~CatchUp();

  // The pump must stay until remove(). `leader_epoch` must be known; `source_end`: the high watermark as last seen;
  // `bytes_per_offset`: of the last response.
  void add(PartitionPump& pump, std::string topic, LeadershipEpoch leader_epoch, SourceOffset source_end,
           double bytes_per_offset);
  void remove(const LinkPartition& key);
  void changed(const LinkPartition& key);  // next() of this pump answers differently
  bool has(const LinkPartition& key) const { return entries_.count(key) > 0; }
  bool empty() const { return entries_.empty(); }
  // The source's answers about this partition are at least as new as that (see Fetcher::known_as_of). MonoTime(): it is
  // not here.
  MonoTime known_as_of(const LinkPartition& key) const;

  Task<void> run();  // until stop()
  void stop();
  void reconnect();  // ends the connection; run() makes a new one

  uint64_t bytes_received() const { return bytes_received_; }
  uint64_t bytes_unused() const { return bytes_unused_; }  // came twice, or behind a gap
  size_t asks_in_flight_most() const { return asks_in_flight_most_; }

 private:
  class Visitor;
  struct Flight;
  struct Ask {
    LinkPartition key;
    std::string topic;
    LeadershipEpoch leader_epoch;
    uint64_t round = 0;  // of its entry: answers to older ones are ignored
    SourceOffset offset;
    LogEpoch last_fetched_epoch{-1};  // -1 at a guessed place
    bool guessed = false;
    size_t bytes_max = 0;
  };
  struct Entry {
    PartitionPump* pump = nullptr;
    std::string topic;
    LeadershipEpoch leader_epoch;
    MonoTime known_as_of;     // its last answer had been asked for then
    uint32_t generation = 0;  // of the pump, when this round began
    uint64_t round = 0;       // 0: a new one begins with the next ask
    SourceOffset ahead;       // where the next ask goes
    SourceOffset source_end;  // the high watermark
    int in_flight = 0;        // of this round
    double bytes_per_offset = 1;
    double margin = kMarginMin;  // of a response, that a guess is lower than the estimate
    size_t batch_bytes_max = 0;  // the largest batch that came
    size_t ask_bytes = 0;
    int gaps = 0;               // in a row
    int asks_max = kAsksFirst;  // at a time: one more with each good answer, half as many after a gap
  };
  static constexpr int kAsksFirst = 2, kGapsMax = 3;
  static constexpr double kMarginMin = 1.0 / 32, kMarginMax = 0.5;

  Entry* find(const LinkPartition& key);
  std::optional<Ask> plan();  // the next ask that may leave now
  bool may_ask(const Entry& entry) const;
  bool ask_next(const LinkPartition& key, Entry& entry, Ask& ask);
  void begin_round(Entry& entry, const FetchPosition& at);
  size_t window_bytes() const;
  void send(Ask ask);
  Task<void> receive(std::unique_ptr<Flight> flight, Task<Result<void>> answer);
  void note_answer(const Ask& ask, Entry& entry, const Visitor& visitor);
  static void slow_down(Entry& entry);
  void note_rate(size_t bytes, Duration transfer);
  bool over(const Entry& entry) const;
  void end(const LinkPartition& key, const Error& why);
  void end_all(const Error& why);

  Env& env_;
  kafka::ClusterClient& source_;
  const int32_t broker_;
  Budget& budget_;
  const FetcherOptions& options_;
  CatchUpOwner& owner_;
  SlabWriter slabs_;
  Event stopping_;
  Notifier wake_;
  Gate gate_;
  std::map<LinkPartition, Entry> entries_;
  LinkPartition last_asked_;  // partitions take turns
  std::shared_ptr<kafka::Client> client_;
  uint64_t rounds_ = 0;
  size_t asks_in_flight_ = 0, asks_in_flight_most_ = 0;
  size_t bytes_in_flight_ = 0;   // asked for, at most
  double bytes_per_second_ = 0;  // while responses arrive; 0: not known
  MonoTime last_response_end_;
  uint64_t bytes_received_ = 0, bytes_unused_ = 0;
};

}  // namespace farshore::replicator
