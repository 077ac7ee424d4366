// The state of a RelaySink: what it knows of each partition, and its way to each broker of the target. Internal to it.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "base/event.h"
#include "proto/kafka/client/cluster_client.h"
#include "replicator/pump.h"
#include "replicator/relay/evidence.h"
#include "replicator/sink.h"

namespace farshore::replicator {

// The way to one broker of the target.
struct RelayLane {
  RelayLane(Reactor& reactor, int32_t b) : broker(b), wake(reactor) {}
  const int32_t broker;
  std::unique_ptr<kafka::Client> client;  // its own: bulk data must not hold up control
  std::deque<PumpKey> queue;              // of partitions that may have something to send
  int in_flight = 0;                      // requests
  bool lost = false;                      // a connection ended: leaders may have changed since
  Notifier wake;
};

// One batch under way.
struct RelayFlight {
  uint64_t id = 0;
  uint32_t generation = 0;  // of the pump
  SourceOffset source;
  int32_t length = 0;
  LogEpoch source_epoch{-1};
  size_t bytes = 0;
  int64_t max_timestamp_ms = -1;
  Budget::Token budget;
  std::optional<TargetOffset> base;  // acknowledged
  SourceOffset end() const { return source + length; }
};

// One partition. Everything but pump and target is of the last open(), numbered by `attempt`.
struct RelayEntry {
  PartitionPump* pump = nullptr;
  SinkTarget target;
  uint64_t attempt = 0;  // unique over the sink: whatever belongs to another one is ignored
  bool open = false;
  RelayLane* lane = nullptr;
  TopicId topic_id;
  RelayProducer producer;
  LeadershipEpoch target_epoch{-1};
  bool anchored = false;  // the next batch, if it follows without a gap, has an anchor
  LogEpoch anchor_epoch{-1};
  int64_t anchor_records = 0;  // under it
  int32_t next_sequence = 0;
  SourceOffset next_source;  // the first that was not sent
  SourceOffset acked_end;
  LogEpoch acked_epoch{-1};
  SourceOffset told_end;    // what open() or advance_log_start() said last
  TargetOffset target_end;  // nothing of ours stands at or above it, but what is in flight
  std::deque<RelayFlight> flights;
  std::optional<Pumped> held;  // the next batch, which waits for an anchor or for room
  bool queued = false;

  void close() {
    open = false;
    flights.clear();
    held.reset();
  }
};

}  // namespace farshore::replicator
