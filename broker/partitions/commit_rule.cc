#include "broker/partitions/commit_rule.h"

namespace farshore::broker {
namespace {

class WrittenIsCommitted final : public CommitRule {
 public:
  Offset committed_end(const LogEnds& ends) const override { return ends.end; }
  bool waits_for_sync(const LogEnds&) const override { return false; }
};

class DurableIsCommitted final : public CommitRule {
 public:
  Offset committed_end(const LogEnds& ends) const override { return ends.flushed_end; }
  bool waits_for_sync(const LogEnds& ends) const override { return ends.flushed_end < ends.end; }
};

}  // namespace

std::unique_ptr<CommitRule> only_replica_rule(Durability durability) {
  if (durability == Durability::kFsync) return std::make_unique<DurableIsCommitted>();
  return std::make_unique<WrittenIsCommitted>();
}

}  // namespace farshore::broker
