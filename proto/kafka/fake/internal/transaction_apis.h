// FakeKafka's transaction coordinator: InitProducerId, AddPartitionsToTxn, EndTxn (abort only) and
// DescribeTransactions. It writes abort
// markers to the partitions some milliseconds after EndTxn, one after the other.
#pragma once

#include <string>

#include "base/env.h"
#include "base/event.h"
#include "base/gate.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/fake/cluster.h"

namespace farshore::kafka {

class TransactionApis {
 public:
  // `appended` is notified after each marker. Tasks that write markers belong to `gate`.
  TransactionApis(Env& env, FakeCluster& cluster, Notifier& appended, Gate& gate)
      : env_(env), cluster_(cluster), appended_(appended), gate_(gate) {}

  void init_producer_id(FakeCall& call);
  void add_partitions(FakeCall& call);
  void end_txn(FakeCall& call);
  void describe_transactions(FakeCall& call);

 private:
  ErrorCode check(const FakeTransactionalId& owner, int64_t producer_id, int16_t epoch);
  ErrorCode raise(FakeTransactionalId& owner, int64_t producer_id, int16_t epoch);
  void end_later(const std::string& transactional_id);
  Task<void> write_markers(std::string transactional_id, int64_t producer_id, int16_t epoch);
  bool happens(double chance) { return chance > 0 && env_.random().below(1'000'000) < chance * 1e6; }

  Env& env_;
  FakeCluster& cluster_;
  Notifier& appended_;
  Gate& gate_;
  int64_t next_producer_id_ = 1000;
};

}  // namespace farshore::kafka
