// What RelaySink is made of: its partitions, its lanes, and what is under way. Internal to it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/kafka/messages/produce.h"
#include "replicator/relay/lane.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::replicator {

struct RelaySink::Impl {
  struct Sent {  // one batch of a request
    PumpKey key;
    uint64_t attempt = 0, flight = 0;
    std::string topic;
    TopicId topic_id;
  };
  using Produce = kafka::ProduceRequest;
  using Answer = kafka::ProduceResponse::PartitionProduceResponse;

  Impl(Env& e, kafka::ClusterClient& t, LinkId l, RelayJournal& j, RelaySinkOptions o)
      : env(e), cluster(t), link(l), journal(j), options(o), changed(e), stopping(e), gate(e) {}

  RelayEntry* find(const PumpKey& key, uint64_t attempt) {
    auto it = entries.find(key);
    return it == entries.end() || it->second.attempt != attempt ? nullptr : &it->second;
  }
  RelayLane& lane_of(int32_t broker);

  // --- a process that was stopped
  Task<void> tick();
  bool stood_still();
  void retake_all();

  // --- sending
  void queue(const PumpKey& key, RelayEntry& entry);
  Task<void> run_lane(std::shared_ptr<RelayLane> lane);
  Task<Status> connect(std::shared_ptr<RelayLane> lane);
  void gather(RelayLane& lane, Produce& request, std::vector<Sent>& sent);
  bool next(const PumpKey& key, RelayEntry& entry);
  bool needs_anchor(const RelayEntry& entry, const BatchHeader& batch) const;
  size_t add(const PumpKey& key, RelayEntry& entry, Produce& request, std::vector<Sent>& sent);
  static bool all_by_id(const std::vector<Sent>& sent) {
    return std::all_of(sent.begin(), sent.end(), [](const Sent& each) { return !each.topic_id.is_zero(); });
  }
  void send(const std::shared_ptr<RelayLane>& lane, Produce request, std::vector<Sent> sent);
  Task<void> await_answer(std::shared_ptr<RelayLane> lane, std::vector<Sent> sent,
                          Task<Result<kafka::ProduceResponse>> produce);
  Task<void> anchor(PumpKey key, uint64_t attempt, RelayAnchor anchor);
  void deliver(const Sent& sent, const Answer* answer);
  void acknowledge(const PumpKey& key, uint64_t attempt);
  void fail(const PumpKey& key, uint64_t attempt, const Error& error);

  Env& env;
  kafka::ClusterClient& cluster;
  const LinkId link;
  RelayJournal& journal;
  const RelaySinkOptions options;
  std::map<PumpKey, RelayEntry> entries;
  std::map<int32_t, std::shared_ptr<RelayLane>> lanes;
  std::set<PumpKey> anchoring;  // an anchor is being written; also of an older attempt
  uint64_t attempts = 0, flights = 0;
  int takeovers = 0;
  bool ticking = false;
  MonoTime ticked;
  WallTime ticked_wall;
  Notifier changed;       // a takeover or an anchor ended
  Duration round_trip{};  // to the farthest broker
  Event stopping;
  Gate gate;
};

}  // namespace farshore::replicator
