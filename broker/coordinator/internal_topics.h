// The internal topics of coordinators (__consumer_offsets, later __transaction_state), as a coordinator sees them: that
// the topic exists, and the logs of its partitions. PartitionTopics is the broker's implementation; tests use
// testing/fake_topics.h.
// Executor: the broker's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/task.h"
#include "base/time.h"
#include "broker/log/log.h"

namespace farshore::broker {

// One partition that this broker leads. Appends happen in the order of the calls.
class CoordinatorLog {
 public:
  virtual ~CoordinatorLog() = default;
  // Returns the last offset of `run`, which is not committed yet: see wait_committed(). kNoSpace, kInvalidArgument:
  // nothing was appended. kIo, kClosed: nothing is known, and nothing can be appended any more.
  virtual Task<Result<Offset>> append(BatchRun run) = 0;
  // ok when committed, and durable if the broker's setting is so. kTimedOut: not known yet; any other error: never.
  virtual Task<Status> wait_committed(Offset last, Deadline deadline) = 0;
  virtual LogEnds ends() const = 0;
  // Whole batches at and above `from`, also those that are not committed yet; empty: none.
  virtual Task<Result<BatchRun>> read(Offset from, size_t bytes_max) = 0;
};

struct InternalTopic {  // as it is when it is created
  std::string name;
  int32_t partitions = 1;
  std::map<std::string, std::string> configs;
};

class InternalTopics {
 public:
  virtual ~InternalTopics() = default;
  // 0: there is no such topic.
  virtual int32_t partition_count(const std::string& topic) const = 0;
  // Creates the topic if it is missing; returns how many partitions it has. kUnavailable: it could not be created.
  virtual Task<Result<int32_t>> ensure_topic(InternalTopic topic, Deadline deadline) = 0;
  // kNotFound: this broker does not lead it. kIo: its log is offline.
  virtual Task<Result<std::shared_ptr<CoordinatorLog>>> open(std::string topic, int32_t partition,
                                                             Deadline deadline) = 0;
};

}  // namespace farshore::broker
