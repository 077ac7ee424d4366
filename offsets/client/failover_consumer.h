// FailoverConsumer: a consumer group member that reads from a source cluster, and continues at the target cluster once
// the link's mirrors there were promoted or failed over. It uses librdkafka. Only the target is asked about the
// failover, so it works when the source and the gateway are gone. A Farshore target (mirror links) is asked about its
// mirrors. At another Kafka (relay links) it reads the topics __farshore_links and __farshore_offsets, which needs
// Describe and Read on both and on the consumed topics. The target says which of the two it is; the application need
// not know.
//
// Guarantees, within one process:
//   * No record is delivered twice, and no mirrored record is skipped: each partition continues at
//     min(position, failover offset M). On a relay link, this offset is translated exactly into the target's offsets.
//     If it cannot be translated (the target does not answer, the translation is gone), the consumer does not move: it
//     reports a problem and tries again each second. Records that others wrote into a relayed topic are delivered, too.
//   * If the position is above M, this is reported: the records M..position were consumed at the source and do not
//   exist at
//     the target ("consumed but lost"). At the target the offsets from M on are other records, which are delivered.
//   * An active mirror is never consumed. While the source is gone and nobody has failed the link over, the consumer
//   waits,
//     and reports that in an event.
// It moves when ALL its topics have ended at the target, all topics at once, and never back: to return, close it and
// open another one with the clusters exchanged. A topic that is still mirrored keeps the other topics at the source.
// Each process commits its own positions at the target before it joins the group there. If another member has joined
// before, Kafka refuses this commit; the partition then starts at the offset committed at the target (by group sync).
// Then another process may deliver records again, as after any crash; no record is skipped.
//
// Threads: any; concurrent calls wait for each other. There are no callbacks. It runs its own thread, which asks the
// target and probes the source once a second with all signals blocked, and the threads of librdkafka. Not usable across
// fork().
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "offsets/client/api.h"

namespace farshore {

struct FailoverConsumerConfig {
  std::string source, target;       // host:port[,host:port...]
  std::string group;                // the same at both clusters
  std::vector<std::string> topics;  // their names at the source
  std::string prefix;               // of the link: a topic is called prefix + name at the target
  // After this time without an answer the source counts as lost (an event). At least 1 s.
  std::chrono::milliseconds source_lost_after = std::chrono::seconds(10);
  // Properties of librdkafka for both clusters (security.*, fetch.*, ...). This class sets the following itself and
  // refuses them here: bootstrap.servers, group.id, enable.auto.commit, enable.auto.offset.store, enable.partition.eof,
  // partition.assignment.strategy. auto.offset.reset is "earliest" by default. The connections that ask the target and
  // probe the source use plain text.
  std::map<std::string, std::string> properties;
};

class FARSHORE_API FailoverConsumer {
 public:
  struct Record {
    std::string topic;  // its name at the source, also for records of the target
    int32_t partition = -1;
    int64_t offset = -1;                    // at the active cluster
    std::optional<std::string> key, value;  // nullopt: null (a null value is a tombstone)
    int64_t timestamp_ms = -1;              // Unix time; -1: none
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  };

  struct ContinuedPartition {
    std::string topic;  // its name at the source
    int32_t partition = -1;
    int64_t failover_offset = -1;  // M: the first source offset that the target does not hold
    int64_t position = -1;         // this consumer's position at the source: the next offset it would have delivered
    int64_t continued_at = -1;     // min(position, failover_offset), in offsets of the target (a mirror's are the same)
    int64_t consumed_but_lost = 0;  // offsets in [failover_offset, position)
    bool committed = false;         // continued_at was committed for the group at the target
  };

  struct Event {
    enum class Kind {
      kStarted,        // at the source; or at the target, if it was failed over before
      kSourceLost,     // the source did not answer for source_lost_after
      kSourceBack,     // the source answers again, and there was no failover
      kWaiting,        // the source is gone, and the consumer cannot move yet; the text says why
      kFailedOver,     // now at the target; `partitions` lists all partitions that this member had a position in
      kTargetUnknown,  // the target does not answer, so a failover would not be noticed
    };
    Kind kind = Kind::kStarted;
    std::string text;  // one line, for people
    std::vector<ContinuedPartition> partitions;
  };

  struct Polled {
    enum class Kind { kNothing, kRecord, kEvent, kProblem };
    Kind kind = Kind::kNothing;
    Record record;    // kRecord
    Event event;      // kEvent
    Problem problem;  // kProblem: call poll() again, unless it is kClosed or kInvalid
  };

  // Checks the configuration; does not connect yet. Returns null and sets `problem` on failure: kInvalid, kFailed.
  static std::unique_ptr<FailoverConsumer> open(FailoverConsumerConfig config, Problem& problem);
  ~FailoverConsumer();  // close()
  FailoverConsumer(const FailoverConsumer&) = delete;
  FailoverConsumer& operator=(const FailoverConsumer&) = delete;

  // The next record or event, or nothing after `timeout`. Call it at least every max.poll.interval.ms (5 minutes), or
  // the group takes the partitions away. The call that moves to the target may take 15 s longer than `timeout`, on a
  // relay link 25 s.
  Polled poll(std::chrono::milliseconds timeout);

  // Commits the position after the last delivered record of each partition that this member owns, at the active
  // cluster. Blocks for at most `timeout`. kUnavailable: the commit may have been stored or not; nothing is lost if the
  // next one succeeds. A failover commits the positions by itself: of everything that was delivered, committed before
  // or not.
  Problem commit(std::chrono::milliseconds timeout = std::chrono::seconds(5));

  // Leaves the group, which takes at most about 3 s. Commits nothing. Later calls give kClosed. Idempotent.
  void close();

  bool at_target() const;  // from any thread

 private:
  class Impl;
  explicit FailoverConsumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore
