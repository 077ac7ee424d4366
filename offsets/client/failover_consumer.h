// FailoverConsumer: a consumer group member that reads from a source cluster, and continues on the target cluster once
// the link's mirrors there were promoted or failed over. librdkafka underneath. It asks only the target cluster, so it
// works when the source and the gateway are gone: a Farshore target (mirror links) about its mirrors, any other Kafka
// (relay links) for what links keep in __farshore_links and __farshore_offsets (Describe and Read on both, and on the
// topics). Which of the two it is, the target says; an application need not know.
//
// Promises, within one process:
//   * no record is delivered twice, and none that was mirrored is skipped: each partition continues at
//     min(position, failover offset M). On a relay link that place is translated into the target's offsets, exactly; if
//     it cannot be (the target does not answer, the map is gone), it does not move, says so in a problem and tries
//     again each second. Records that others wrote into a relay's topic are delivered, too: they are in it;
//   * a position past M is told: the records M..position were consumed at the source and do not exist at the target
//     ("consumed but lost"); offsets from M on are other records there, and are delivered;
//   * a mirror that is still active is never consumed: while the source is gone and nobody has failed the link over, it
//     waits and says so in an event.
// It moves when ALL its topics have ended at the target, all at once, and never back: to return, close it and make one
// with the clusters exchanged. A topic that is still a mirror holds the others at the source. Members in several
// processes each commit their own positions at the target before they join the group there. If another member has
// already joined, Kafka refuses such a commit; the partition then starts from what is committed at the target (what
// group sync brought over): records may be delivered again in another process, as after any crash; none is skipped.
//
// Threads: one call at a time (calls from several threads wait for each other). Nothing is called back. It runs a
// thread of its own that asks the target and probes the source once a second, and those of librdkafka; signals are
// blocked in the first. Not to be used across fork().
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
  std::vector<std::string> topics;  // by their names at the source
  std::string prefix;               // the link's: a topic is called prefix + name at the target
  // No answer from the source for so long: it is said to be lost (an event), and how long a call waits for it.
  std::chrono::milliseconds source_lost_after = std::chrono::seconds(10);
  // Of librdkafka, for both clusters (security.*, fetch.*, ...). Set by this class and refused here: bootstrap.servers,
  // group.id, enable.auto.commit, enable.auto.offset.store, enable.partition.eof, partition.assignment.strategy.
  // auto.offset.reset is "earliest" unless given. The thread that asks the target speaks plain text.
  std::map<std::string, std::string> properties;
};

class FARSHORE_API FailoverConsumer {
 public:
  struct Record {
    std::string topic;  // its name at the source, wherever it was read
    int32_t partition = -1;
    int64_t offset = -1;                    // at the active cluster
    std::optional<std::string> key, value;  // none: null (for the value, a tombstone)
    int64_t timestamp_ms = -1;              // Unix time; -1: none
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  };

  struct ContinuedPartition {
    std::string topic;  // its name at the source
    int32_t partition = -1;
    int64_t failover_offset = -1;  // M: the first offset that is the target's own
    int64_t position = -1;         // of this consumer at the source: the next offset it would have delivered
    int64_t continued_at = -1;     // min(position, failover_offset), in offsets of the target (a mirror's are the same)
    int64_t consumed_but_lost = 0;  // offsets in [failover_offset, position)
    bool committed = false;         // continued_at was committed for the group at the target
  };

  struct Event {
    enum class Kind {
      kStarted,        // at the source, or at once at the target if that was failed over before
      kSourceLost,     // no answer from the source for source_lost_after
      kSourceBack,     // it answers again, and nothing was failed over meanwhile
      kWaiting,        // the source is gone and the target is no place to go yet; the text says why
      kFailedOver,     // now at the target; `partitions` has each one that this member had a position in
      kTargetUnknown,  // the target does not answer: a failover would not be noticed
    };
    Kind kind = Kind::kStarted;
    std::string text;  // one line, for a person
    std::vector<ContinuedPartition> partitions;
  };

  struct Polled {
    enum class Kind { kNothing, kRecord, kEvent, kProblem };
    Kind kind = Kind::kNothing;
    Record record;    // kRecord
    Event event;      // kEvent
    Problem problem;  // kProblem: poll again; kClosed and kInvalid are final
  };

  // Checks the configuration; connects to nothing yet. Null, and `problem` is set: kInvalid, kFailed.
  static std::unique_ptr<FailoverConsumer> open(FailoverConsumerConfig config, Problem& problem);
  ~FailoverConsumer();  // close()
  FailoverConsumer(const FailoverConsumer&) = delete;
  FailoverConsumer& operator=(const FailoverConsumer&) = delete;

  // The next record or event, or nothing after `timeout`. Call it at least every max.poll.interval.ms (5 minutes), or
  // the group takes the partitions away. The call that moves to the target may take up to 15 s longer than `timeout`,
  // on a relay link 25 s.
  Polled poll(std::chrono::milliseconds timeout);

  // Commits the position after the last delivered record of each partition that this member owns, at the active
  // cluster. Blocks for at most `timeout`. kUnavailable: it may or may not have been stored; nothing is lost if the
  // next one succeeds, and a failover commits positions by itself (all that was delivered, committed before or not).
  Problem commit(std::chrono::milliseconds timeout = std::chrono::seconds(5));

  // Leaves the group; at most about 3 s. Commits nothing. Later calls: kClosed. Idempotent.
  void close();

  bool at_target() const;  // from any thread

 private:
  class Impl;
  explicit FailoverConsumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore
