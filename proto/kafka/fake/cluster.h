// FakeCluster: the data of a FakeKafka, and the behaviour that a test sets. Plain data: tests read and change it
// while nothing runs.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/partition.h"

namespace farshore::kafka {

struct FakeTopic {
  Uuid id;
  std::map<std::string, std::string> configs;
  std::vector<FakePartition> partitions;
};

struct FakeTransactionalId {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  int16_t last_epoch = -1;              // before the owner raised it (KIP-360); -1: somebody else did
  std::set<TopicPartition> partitions;  // of the transaction under way
  bool ending = false;                  // its markers are still being written
};

// Probabilities from 0 to 1, per request.
struct FakeChances {
  double drop_ack = 0;    // Produce: the batch is written, and the connection ends without an answer
  double concurrent = 0;  // CONCURRENT_TRANSACTIONS without a reason
  double foreign = 0;     // Produce: another producer writes first
};

struct FakeLinkEntry {
  std::string value;
  int64_t revision = 0;
};

struct FakeCluster {
  // --- stored
  std::string cluster_id = "fake-cluster";
  std::map<std::string, FakeTopic> topics;
  std::map<std::string, FakeTransactionalId> transactional_ids;
  std::map<std::string, FakeLinkEntry> link_entries;  // the link registry of a Farshore cluster (LinkState)
  int markers = 0;                                    // transaction markers written so far

  // --- behaviour
  int64_t short_fetch_bytes_max = 20'000;   // Fetch returns fewer bytes by chance, at least one batch; 0: never
  int answers_concurrent_transactions = 0;  // this many EndTxn and AddPartitionsToTxn get that error first
  FakeChances chances;
  std::optional<ErrorCode> refuse_next_produce;          // the error of the next Produce; nothing is written
  std::map<std::string, std::string> broker_configs;     // as DescribeConfigs of a broker shows them
  std::map<std::string, int64_t> config_minimums;        // smaller values of these topic configs are refused ...
  ErrorCode config_refusal = ErrorCode::kInvalidConfig;  // ... with this error

  FakeTopic& add_topic(const std::string& name, int32_t partitions);
  FakePartition& partition(const std::string& topic, int32_t index) { return topics.at(topic).partitions.at(index); }
  // nullptr: no such partition. By `id` unless it is zero, else by name.
  FakePartition* find(const std::string& topic, int32_t index);
  FakePartition* find(const std::string& topic, const Uuid& id, int32_t index);

 private:
  int64_t next_topic_ = 1;
};

}  // namespace farshore::kafka
