// FakeKafka: one broker of a small Kafka cluster in memory, for tests of what talks to plain Kafka: topics, idempotent
// producers with Kafka's sequence rules, transactional ids whose abort markers fence, and faults on request. It holds
// what Kafka 4.1.1 was seen to do (correctness C1, C3); what it does not know it hangs up on.
// Executor: the Env's, for all members. Works on any Env.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/batch/batch.h"
#include "proto/kafka/frame.h"

namespace farshore::kafka {

class FakeKafka {
 public:
  struct Batch {
    BatchHeader header;
    std::vector<std::byte> bytes;
  };
  struct ProducerState {
    int16_t epoch = -1;
    int32_t last_sequence = -1;  // -1: nothing since the marker of this epoch
    struct Remembered {
      int32_t first_sequence, last_sequence;
      int64_t base_offset;
    };
    std::deque<Remembered> recent;  // at most 5
  };
  struct Partition {
    int64_t log_start = 0, end = 0;
    int32_t leader_epoch = 0;
    std::deque<Batch> batches;
    std::map<int64_t, ProducerState> producers;
  };
  struct Topic {
    Uuid id;
    std::map<std::string, std::string> configs;
    std::vector<Partition> partitions;
  };
  struct TransactionalId {
    int64_t producer_id = -1;
    int16_t epoch = -1;
    std::vector<TopicPartition> partitions;  // of the transaction under way
  };
  // What becomes of a request.
  enum class Fate : uint8_t {
    kAnswer,
    kLoseRequest,  // nothing is done, and the connection ends
    kLoseAnswer,   // it is done, and the connection ends
    kHold,         // it is done when release() is called, and the connection ends without an answer
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
  // Retention: batches wholly below `to` are gone.
  void delete_records(const std::string& topic, int32_t index, int64_t to);
  // Unclean election: everything at and above `end` is gone.
  void cut(const std::string& topic, int32_t index, int64_t end);
  // What kHold kept back is done now, in order.
  void release();

  std::string cluster_id = "fake-cluster";
  std::map<std::string, Topic> topics;
  std::map<std::string, TransactionalId> transactional_ids;
  // By API key, asked before each request; not set: kAnswer.
  std::function<Fate(int16_t api_key)> fate;
  int answers_concurrent_transactions = 0;  // so many EndTxn and AddPartitionsToTxn are answered so first
  std::map<int16_t, int> requests;          // counted by API key

 private:
  struct Call;
  Task<void> serve(std::unique_ptr<Stream> stream);
  Task<bool> handle(Call& call);  // false: hang up
  Task<void> fetch(Call& call);
  void metadata(Call& call);
  void produce(Call& call);
  void list_offsets(Call& call);
  void create_topics(Call& call);
  void describe_configs(Call& call);
  void describe_producers(Call& call);
  void offset_for_leader_epoch(Call& call);
  void find_coordinator(Call& call);
  void init_producer_id(Call& call);
  void add_partitions(Call& call);
  void end_txn(Call& call);
  void api_versions(Call& call);
  int16_t append_checked(Partition& partition, ConstBytes records, int64_t& base_offset);
  void mark(TransactionalId& owner);
  Partition* find(const std::string& topic, int32_t index);

  Env& env_;
  const Endpoint at_;
  SlabArena arena_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::vector<std::byte>> held_;  // whole request frames
  Notifier appended_;
  int64_t next_producer_id_ = 1000;
  int64_t next_topic_ = 1;
  bool stopped_ = false;
  Gate gate_;
};

}  // namespace farshore::kafka
