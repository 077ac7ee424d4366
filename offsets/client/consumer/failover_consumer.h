// FailoverConsumer: a consumer group member that reads from a source cluster, and continues at the target cluster once
// the link's mirrors there were promoted or failed over. The guarantees are those of the public header
// farshore/failover_consumer.h.
//
//   poll() --> FailoverRule: start, move, events        MirrorWatch: what the target and the source say
//          \-> PlaceFinder --> Joining --> GroupMember   at the source first, then at the target
//
// Threads: any. poll() and commit() hold the lock for short steps only, except during a move (at most 25 s).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "offsets/client/problem.h"

namespace farshore::client {

struct FailoverConsumerConfig {
  std::string source, target;       // host:port[,host:port...]
  std::string group;                // the same at both clusters
  std::vector<std::string> topics;  // their names at the source
  std::string prefix;               // of the link: a topic is called prefix + name at the target
  std::chrono::milliseconds source_lost_after = std::chrono::seconds(10);
  std::optional<std::chrono::milliseconds> start_without_target_after;  // nullopt: never
  // Properties of librdkafka for both clusters, and for one of them, which win.
  std::map<std::string, std::string> properties, source_properties, target_properties;
};

class FailoverConsumer {
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
    int64_t committed_at = -1;      // what the application had committed, in offsets of the target; -1: nothing
    bool committed = false;         // the group has at least this committed at the target
  };

  struct Event {
    enum class Kind { kStarted, kSourceLost, kSourceBack, kWaiting, kFailedOver, kTargetUnknown, kTargetBack };
    Kind kind = Kind::kStarted;
    std::string text;  // one line, for people
    std::vector<ContinuedPartition> partitions;
  };

  struct Polled {
    enum class Kind { kNothing, kRecord, kEvent, kProblem };
    Kind kind = Kind::kNothing;
    Record record;    // kRecord
    Event event;      // kEvent
    Problem problem;  // kProblem
  };

  // Checks the configuration; does not connect yet. Null, and `problem` is set: kInvalid, kFailed.
  static std::unique_ptr<FailoverConsumer> open(FailoverConsumerConfig config, Problem& problem);
  ~FailoverConsumer();  // close()
  FailoverConsumer(const FailoverConsumer&) = delete;
  FailoverConsumer& operator=(const FailoverConsumer&) = delete;

  Polled poll(std::chrono::milliseconds timeout);
  Problem commit(std::chrono::milliseconds timeout);
  void close();
  bool at_target() const;

 private:
  class Impl;
  explicit FailoverConsumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
