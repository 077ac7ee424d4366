// What the coordinator needs of the broker: that its topic exists, and its partitions' logs. The broker implements it
// over its metadata and partitions; tests over a log alone.
// Executor: the broker's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/task.h"
#include "base/time.h"
#include "broker/log/log.h"

namespace farshore::broker {

// One partition that this broker leads. Appends are in call order.
class CoordinatorLog {
 public:
  virtual ~CoordinatorLog() = default;
  // The last offset of `run`. Not yet an acknowledgement: that is wait_committed(). kNoSpace, kInvalidArgument: nothing
  // was appended. kIo, kClosed: nothing is known, and nothing can be appended any more.
  virtual Task<Result<Offset>> append(BatchRun run) = 0;
  // ok when committed (and durable, if the broker's setting is so). kTimedOut: not yet known; anything else: never.
  virtual Task<Status> wait_committed(Offset last, Deadline deadline) = 0;
  virtual LogEnds ends() const = 0;
  // Whole batches at and above `from`, also those not yet committed; empty: none.
  virtual Task<Result<BatchRun>> read(Offset from, size_t bytes_max) = 0;
};

class InternalTopics {
 public:
  virtual ~InternalTopics() = default;
  // 0: there is no such topic.
  virtual int32_t partition_count(const std::string& topic) const = 0;
  // Makes the topic if it is missing; returns how many partitions it has.
  virtual Task<Result<int32_t>> ensure_topic(std::string topic, int32_t partitions,
                                             std::map<std::string, std::string> configs, Deadline deadline) = 0;
  // kNotFound: this broker does not lead it. kIo: its log is offline.
  virtual Task<Result<std::shared_ptr<CoordinatorLog>>> open(std::string topic, int32_t partition,
                                                             Deadline deadline) = 0;
};

}  // namespace farshore::broker
