// Replicator: the data plane of one link: a pump per partition, a fetcher per broker of the source (and lane), one
// sink. It finds the source's leaders, carries out the pumps' control requests at the target, and reports progress. Its
// owner decides what is mirrored and what a failure means.
//
//   source broker --Fetcher--> PartitionPump --BatchSink--> target
//                     ^ leaders      | control requests (ControlRequest)
//                     +-- Replicator +
//
// Executor: the Env's. Owner: a link, or an embedded observer.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/gate.h"
#include "replicator/fetcher.h"
#include "replicator/replicator_counters.h"
#include "replicator/sink.h"

namespace farshore::replicator {

struct ReplicatorOptions {
  PumpOptions pump;
  FetcherOptions fetcher;
  size_t inflight_bytes_max = 64 << 20;  // received and not yet acknowledged by the target, of the whole link
  int32_t lanes_per_broker = 1;
  Duration metadata_interval = seconds(10);  // how often leaders and topic ids are looked at
  // While a partition has no leader: its topic is looked at again after that time, then after longer ones.
  Duration metadata_retry = milliseconds(200), metadata_retry_max = seconds(3);
  Duration control_backoff_min = milliseconds(50), control_backoff_max = seconds(2);
  // A source topic that is not there so many times in a row, over so long, is gone: brokers that start learn of topics
  // one after another.
  int missing_looks_max = 5;
  Duration missing_for = seconds(10);
};

struct PartitionSpec {
  std::string source_topic;
  // Not zero. For a source that is too old to have ids (before Apache Kafka 2.8): one made up per topic. A topic that
  // was deleted and created again is then not noticed.
  SourceTopicId source_topic_id;
  int32_t partition = 0;
  SinkTarget target;
};

struct PartitionProgress {
  LinkPartition key;
  std::string source_topic, target_topic;
  PumpProgress pump;
  int32_t source_broker = -1;  // -1: no leader is known
  // What is known of the source's end is at least as new as that; later events are not known (Fetcher::known_as_of).
  // MonoTime(): the source has not spoken of this partition since the pump was added. A pump that does not fetch
  // (paused, FAILED, without a leader, refused by its broker) does not get news.
  MonoTime known_as_of;
  bool heard() const { return known_as_of != MonoTime(); }
  Error source_error;  // why the source cannot be read now; kNone: it can
  Error target_error;  // of the last control request or append at the target; kNone after a success
};

class Replicator final : private PumpDriver, private FetcherOwner {
 public:
  // All references outlive it. `listener` is called from inside pumps: it takes note and acts later.
  Replicator(Env& env, SlabArena& arena, kafka::ClusterClient& source, BatchSink& sink, LinkId link,
             ReplicatorOptions options, PumpListener& listener);
  ~Replicator() override;

  Task<void> run();   // until stop()
  Task<void> stop();  // ends everything, the sink too; returns when nothing runs any more

  // The key of the pump. Adding what is there changes nothing.
  LinkPartition add(PartitionSpec spec);
  void remove(const LinkPartition& key);
  void pause(const LinkPartition& key);
  void resume(const LinkPartition& key);
  void restart(const LinkPartition& key);  // after a failure
  // What all pumps do from now on where source and target no longer agree.
  // `may_cut_all`: see PumpOptions.
  void set_policies(OnMismatch on_divergence, OnMismatch on_retention_gap, bool may_cut_all) {
    options_.pump.on_divergence = on_divergence;
    options_.pump.on_retention_gap = on_retention_gap;
    options_.pump.may_cut_all = may_cut_all;
  }
  void reconnect_to_source();  // the source has other addresses now

  size_t size() const { return entries_.size(); }
  std::vector<PartitionProgress> progress() const;
  std::optional<PartitionProgress> progress(const LinkPartition& key) const;
  std::optional<PumpPhase> phase(const LinkPartition& key) const {
    auto found = entries_.find(key);
    return found == entries_.end() ? std::nullopt : std::make_optional(found->second.pump->phase());
  }
  // Asks the source whether its log still holds all records that were sent to the target. progress() is not enough: it
  // is as old as the last fetch response, and the source may have lost its tail and written other records since. Also
  // false while the pump does not run. Errors: the source's; its leader is looked for until the deadline.
  Task<Result<bool>> source_still_has(LinkPartition key, Deadline deadline);
  uint64_t bytes_received() const;               // from the source, by all pumps that there were
  std::optional<MonoTime> last_contact() const;  // the last whole response of any broker of the source
  // Why the source cannot be read now, of the metadata or of one of its brokers; kNone: nothing failed last.
  Error source_error() const;
  size_t inflight_bytes() const { return budget_.used_bytes(); }
  ReplicatorCounters counters() const;
  ReplicatorLoad load() const;
  // Notified when progress() changes: an append was acknowledged, or a state changed.
  Notifier& changes() { return changes_; }

 private:
  struct Entry {
    PartitionSpec spec;
    std::unique_ptr<PartitionPump> pump;
    Fetcher* fetcher = nullptr;
    LeadershipEpoch leader_epoch{-1};
    uint64_t serial = 0;       // of the add(): a key that was removed and added again is another entry
    bool controlling = false;  // a coroutine carries out its control requests
    int missing_looks = 0;
    MonoTime missing_since;
    MonoTime heard;  // known_as_of, of fetchers that it has left
    Error source_error, target_error;
    Error append_error;  // of the last append that failed; holds until one goes well
  };

  void pump_can_send(PartitionPump& pump) override;
  void pump_fetch_changed(PartitionPump& pump) override;
  void pump_needs_control(PartitionPump& pump) override;
  void pump_problem(PartitionPump& pump, PumpProblem trouble, const Error& error) override;
  void fetcher_lost_partition(const LinkPartition& key) override;
  Duration target_round_trip() const override { return sink_.round_trip(); }

  Entry* find(const LinkPartition& key);
  Entry* find(const LinkPartition& key, uint64_t serial);
  Fetcher& fetcher_for(int32_t broker, const LinkPartition& key);
  void leave_fetcher(const LinkPartition& key, Entry& entry);
  std::vector<std::string> source_topics(bool all) const;
  Task<Status> look_at_source(bool all);
  void place(const LinkPartition& key, Entry& entry, const kafka::ClusterView& view);
  Task<void> carry_out_requests(LinkPartition key, uint64_t serial);
  Task<Status> grant(LinkPartition key, uint64_t serial, ControlRequest control_request);
  PartitionProgress progress_of(const LinkPartition& key, const Entry& entry) const;

  Env& env_;
  SlabArena& arena_;
  kafka::ClusterClient& source_;
  BatchSink& sink_;
  const LinkId link_;
  ReplicatorOptions options_;  // pumps refer to it
  PumpListener& listener_;
  Budget budget_;
  Notifier changes_, wake_;
  Event stopping_;
  Gate gate_;
  std::map<LinkPartition, Entry> entries_;
  uint64_t added_ = 0;
  std::map<std::pair<int32_t, int32_t>, std::unique_ptr<Fetcher>> fetchers_;  // by broker and lane
  std::set<LinkPartition> unplaced_;
  Error look_error_;             // of the last look at the source's metadata
  ReplicatorCounters counters_;  // bytes and batches: of partitions that were removed
};

}  // namespace farshore::replicator
