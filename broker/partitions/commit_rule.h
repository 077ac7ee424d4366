// CommitRule: the one place that says which records of a partition are committed. The high watermark follows it, and
// with it everything that waits for an acknowledgement. Partition asks it again whenever the log moved.
//
// There is one rule today: this broker has the only replica. A rule for several replicas keeps what it hears of the
// others, and calls Partition::changed() when it hears more.
// Executor: the broker's. Owner: a Partition.
#pragma once

#include <memory>

#include "broker/log/log.h"
#include "broker/partitions/partition_options.h"

namespace farshore::broker {

class CommitRule {
 public:
  virtual ~CommitRule() = default;
  // Everything below the answer is committed. `ends`: of the log of this broker. Never above `ends.end`; it may go back
  // only with a truncation of the log.
  virtual Offset committed_end(const LogEnds& ends) const = 0;
  // Whether a sync of this broker's log would raise that answer now.
  virtual bool waits_for_sync(const LogEnds& ends) const = 0;
};

// The only replica is this one. kPageCache: what is written is committed. kFsync: what is durable is.
std::unique_ptr<CommitRule> only_replica_rule(Durability durability);

}  // namespace farshore::broker
