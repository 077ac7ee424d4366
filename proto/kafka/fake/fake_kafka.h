// FakeKafka: one broker of a small Kafka cluster in memory, for tests of what talks to plain Kafka: topics, idempotent
// producers with Kafka's sequence rules, transactional ids whose abort markers come a while after EndTxn and fence, and
// faults on request or by chance. It holds what Kafka 4.1.1 was seen to do (correctness C1, C3); what it does not know
// it hangs up on.
// Executor: the Env's, for all members. Works on any Env.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/partition.h"
#include "proto/kafka/frame.h"

namespace farshore::kafka {

class FakeKafka {
 public:
  using Partition = FakePartition;
  struct Topic {
    Uuid id;
    std::map<std::string, std::string> configs;
    std::vector<Partition> partitions;
  };
  struct TransactionalId {
    int64_t producer_id = -1;
    int16_t epoch = -1;
    std::set<TopicPartition> partitions;  // of the transaction under way
    bool ending = false;                  // markers are on their way
  };
  // Chances, per request.
  struct Chances {
    double drop_ack = 0;    // Produce: appended, and the connection ends without an answer
    double concurrent = 0;  // CONCURRENT_TRANSACTIONS, for nothing
    double foreign = 0;     // Produce: somebody else appends first
  };
  // What becomes of a request.
  enum class Fate : uint8_t {
    kAnswer,
    kLoseRequest,  // nothing is done, and the connection ends
    kLoseAnswer,   // it is done, and the connection ends
    kHold,         // it is done when release() is called, and the connection ends without an answer
    kSilence,      // nothing is done; the connection stays, and ends when this is not its fate any more
  };

  FakeKafka(Env& env, Endpoint at);
  ~FakeKafka();

  // Listens and serves until stop(). Await it to the end, or kill its process.
  Task<void> run();
  void stop();
  bool listening() const { return listener_ != nullptr; }
  Endpoint address() const { return listener_->local(); }

  Topic& add_topic(const std::string& name, int32_t partitions);
  Partition& partition(const std::string& topic, int32_t index) { return topics.at(topic).partitions.at(index); }
  // As a foreign writer does: appends one whole batch (of BatchBuilder) and returns its base offset.
  int64_t append(const std::string& topic, int32_t index, std::vector<std::byte> batch);
  // What kHold kept back is done now, in order.
  void release();

  std::string cluster_id = "fake-cluster";
  std::map<std::string, Topic> topics;
  std::map<std::string, TransactionalId> transactional_ids;
  // By API key, asked before each request; not set: kAnswer.
  std::function<Fate(int16_t api_key)> fate;
  int64_t short_fetch_bytes_max = 20'000;   // a broker may send less than it could, down to one batch; 0: never
  int answers_concurrent_transactions = 0;  // so many EndTxn and AddPartitionsToTxn are answered so first
  Chances chances;
  std::optional<ErrorCode> refuse_next_produce;  // not appended
  int16_t produce_version_max = 13;
  std::map<std::string, int64_t> config_minimums;  // topic configs below are refused, with
  ErrorCode config_refusal = ErrorCode::kInvalidConfig;
  struct PrivateApi {
    int16_t key, min_version, max_version;
  };
  std::vector<PrivateApi> private_apis;  // announced, as a Farshore broker does; LinkState is also answered
  struct LinkEntry {
    std::string value;
    int64_t revision = 0;
  };
  std::map<std::string, LinkEntry> link_entries;
  std::map<int16_t, int> requests;  // counted by API key
  int markers = 0;                  // written

 private:
  struct Call;
  Task<void> serve(std::unique_ptr<Stream> stream);
  Task<bool> handle(Call& call);  // false: hang up
  Task<void> fetch(Call& call);
  void metadata(Call& call);
  bool produce(Call& call);  // false: hang up
  void list_offsets(Call& call);
  void create_topics(Call& call);
  void describe_configs(Call& call);
  void alter_configs(Call& call);
  std::optional<std::string> refused_value(const std::string& name, const std::string& value) const;
  void describe_producers(Call& call);
  void offset_for_leader_epoch(Call& call);
  void find_coordinator(Call& call);
  void init_producer_id(Call& call);
  void add_partitions(Call& call);
  void end_txn(Call& call);
  void api_versions(Call& call);
  void link_state(Call& call);
  ErrorCode check(const TransactionalId& owner, int64_t producer_id, int16_t epoch);
  void end_later(const std::string& transactional_id);
  Task<void> write_markers(std::string transactional_id, int64_t producer_id, int16_t epoch);
  Partition* find(const std::string& topic, int32_t index);
  Partition* find(const std::string& topic, const Uuid& id, int32_t index);
  bool happens(double chance) { return chance > 0 && env_.random().below(1'000'000) < chance * 1e6; }
  int64_t now_ms() { return env_.wall_now().milliseconds_since_epoch; }

  Env& env_;
  const Endpoint at_;
  SlabArena arena_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::vector<std::byte>> held_;  // whole request frames
  Notifier appended_;
  int64_t next_producer_id_ = 1000;
  int64_t next_topic_ = 1;
  int64_t link_revision_ = 0;
  bool stopped_ = false;
  Gate gate_;
};

}  // namespace farshore::kafka
