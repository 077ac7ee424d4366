// For tests: one Kafka broker, simulated: it speaks the real codec on the simulated network, coordinates transactions
// (markers come a while after EndTxn), and has switches for what goes wrong. Topics outlive its process.
#pragma once

#include <memory>
#include <set>

#include "base/gate.h"
#include "base/sim/world.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/init_producer_id.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"
#include "replicator/fake_partition_fixture.h"

namespace farshore::replicator {

class FakeKafka {
 public:
  static constexpr uint16_t kPort = 9092;
  static constexpr int32_t kBroker = 1;
  struct Topic {
    TopicId id;
    std::map<int32_t, FakePartition> partitions;
  };
  struct Transaction {
    int64_t id = -1;
    int16_t epoch = -1;
    std::set<TopicPartition> partitions;  // added, and not ended
    bool ending = false;                  // markers are on their way
  };
  // Chances, per request.
  struct Faults {
    double drop_ack = 0;    // appended, and the connection ends without an answer
    double concurrent = 0;  // CONCURRENT_TRANSACTIONS, for nothing
    double foreign = 0;     // somebody else appends first
  };

  std::map<std::string, Topic> topics;
  std::map<std::string, Transaction> transactions;
  Faults faults;
  std::optional<int16_t> refuse_next_produce;  // with this code, not appended
  int produce_requests = 0, markers = 0;
  int16_t produce_max = kafka::ProduceRequest::kMaxVersion;

  Topic& make_topic(const std::string& name, int32_t partitions) {
    Topic& topic = topics[name];
    topic.id.bytes[0] = static_cast<uint8_t>(topics.size());
    for (int32_t i = 0; i < partitions; ++i) topic.partitions[i];
    return topic;
  }
  FakePartition& partition(const std::string& topic, int32_t index) { return topics.at(topic).partitions.at(index); }

  void start(sim::SimWorld& world, const std::string& host) {
    env_ = &world.start_process(host, "kafka");
    process_ = std::make_unique<Process>(*env_);
    world.spawn(*env_, run(host));
  }
  sim::SimEnv& env() { return *env_; }
  // With the process dead.
  void forget_process() { process_.reset(); }

 private:
  using Code = kafka::ErrorCode;
  struct Process {
    explicit Process(sim::SimEnv& env) : gate(env) {}
    Gate gate;
    SlabArena arena;
    std::unique_ptr<Listener> listener;
  };
  struct Asked {
    int16_t version;
    kafka::Reader& body;
    kafka::Writer& out;
  };

  int64_t now_ms() { return env_->wall_now().milliseconds_since_epoch; }
  bool happens(double chance) { return chance > 0 && env_->random().below(1'000'000) < chance * 1e6; }
  FakePartition* find(const std::string& name, const TopicId& id, int32_t index) {
    for (auto& [topic_name, topic] : topics) {
      if (topic_name != name && (id.is_zero() || topic.id != id)) continue;
      auto it = topic.partitions.find(index);
      return it == topic.partitions.end() ? nullptr : &it->second;
    }
    return nullptr;
  }

  Task<void> run(std::string host) {
    Endpoint at{host, kPort};
    auto made = co_await env_->network().listen(at);
    ensure(made, "the test's address is free");
    process_->listener = std::move(*made);
    while (true) {
      auto stream = co_await process_->listener->accept();
      if (!stream && stream.error() == farshore::ErrorCode::kClosed) co_return;
      if (!stream) {
        co_await env_->sleep(milliseconds(10));
        continue;
      }
      spawn(process_->gate, "serve", serve(std::move(*stream)));
    }
  }

  Task<void> serve(std::unique_ptr<Stream> stream) {
    while (true) {
      auto frame = co_await kafka::read_frame(*stream, process_->arena, kafka::kFrameBytesMax, Deadline::never());
      if (!frame) co_return;
      kafka::Reader reader(frame->bytes());
      auto request = kafka::parse_request_header(reader);
      if (!request) co_return;
      kafka::Writer writer;
      const int16_t version = request->header.request_api_version;
      kafka::begin_response(writer, *request->api, version, request->header.correlation_id);
      Asked asked{version, reader, writer};
      if (!answer(request->api->key, asked)) co_return;  // hangs up
      if (env_->random().below(4) == 0) co_await env_->sleep(microseconds(env_->random().between(10, 3000)));
      auto message = kafka::finish_frame(writer);
      if (!message) ADD_FAILURE() << request->api->name << ": " << message.error().to_string();
      if (!message) co_return;
      auto written = co_await kafka::write_message(*stream, *message, Deadline::never());
      if (!written) co_return;
    }
  }

  bool answer(int16_t key, Asked& asked) {
    switch (key) {
      case kafka::ApiVersionsRequest::kApiKey:
        api_versions(asked);
        return true;
      case kafka::MetadataRequest::kApiKey:
        metadata(asked);
        return true;
      case kafka::FindCoordinatorRequest::kApiKey:
        find_coordinator(asked);
        return true;
      case kafka::InitProducerIdRequest::kApiKey:
        init_producer_id(asked);
        return true;
      case kafka::AddPartitionsToTxnRequest::kApiKey:
        add_partitions(asked);
        return true;
      case kafka::EndTxnRequest::kApiKey:
        end_txn(asked);
        return true;
      case kafka::DescribeProducersRequest::kApiKey:
        describe_producers(asked);
        return true;
      case kafka::ListOffsetsRequest::kApiKey:
        list_offsets(asked);
        return true;
      case kafka::OffsetForLeaderEpochRequest::kApiKey:
        end_of_epoch(asked);
        return true;
      case kafka::FetchRequest::kApiKey:
        fetch(asked);
        return true;
      case kafka::ProduceRequest::kApiKey:
        return produce(asked);
      default:
        return false;
    }
  }

  void api_versions(Asked& asked) {
    kafka::ApiVersionsResponse response;
    for (const kafka::ApiInfo& api : kafka::apis()) {
      if (api.is_private) continue;
      auto& each = response.api_keys.emplace_back();
      each.api_key = api.key;
      each.min_version = api.min_version;
      each.max_version = api.key == kafka::ProduceRequest::kApiKey ? produce_max : api.max_version;
    }
    response.encode(asked.out, asked.version);
  }

  void metadata(Asked& asked) {
    auto request = kafka::MetadataRequest::decode(asked.body, asked.version).value();
    kafka::MetadataResponse response;
    auto& broker = response.brokers.emplace_back();
    broker.node_id = kBroker;
    broker.host = env_->host().name;
    broker.port = kPort;
    response.cluster_id = "fake";
    auto add = [&](const std::string& name) {
      auto& topic = response.topics.emplace_back();
      topic.name = name;
      auto it = topics.find(name);
      if (it == topics.end()) {
        topic.error_code = static_cast<int16_t>(Code::kUnknownTopicOrPartition);
        return;
      }
      topic.topic_id = it->second.id;
      for (const auto& [index, partition] : it->second.partitions) {
        auto& each = topic.partitions.emplace_back();
        each.partition_index = index;
        each.leader_id = kBroker;
        each.leader_epoch = partition.leader_epoch;
        each.replica_nodes = each.isr_nodes = {kBroker};
      }
    };
    if (request.topics) {
      for (const auto& each : *request.topics) add(each.name.value_or(""));
    } else {
      for (const auto& [name, topic] : topics) add(name);
    }
    response.encode(asked.out, asked.version);
  }

  void find_coordinator(Asked& asked) {
    auto request = kafka::FindCoordinatorRequest::decode(asked.body, asked.version).value();
    kafka::FindCoordinatorResponse response;
    if (asked.version < 4) {
      response.node_id = kBroker;
      response.host = env_->host().name;
      response.port = kPort;
    }
    for (const std::string& key : request.coordinator_keys) {
      auto& each = response.coordinators.emplace_back();
      each.key = key;
      each.node_id = kBroker;
      each.host = env_->host().name;
      each.port = kPort;
    }
    response.encode(asked.out, asked.version);
  }

  // Markers with this epoch, a while later.
  void end_later(const std::string& id, int16_t epoch) {
    transactions[id].ending = true;
    spawn(process_->gate, "markers", write_markers(id, epoch));
  }
  Task<void> write_markers(std::string id, int16_t epoch) {
    auto partitions = transactions[id].partitions;
    for (const TopicPartition& at : partitions) {
      co_await env_->sleep(milliseconds(env_->random().between(0, 30)));
      partition(at.topic, at.partition).write_marker(transactions[id].id, epoch, now_ms());
      ++markers;
    }
    transactions[id].partitions.clear();
    transactions[id].ending = false;
  }

  void init_producer_id(Asked& asked) {
    auto request = kafka::InitProducerIdRequest::decode(asked.body, asked.version).value();
    kafka::InitProducerIdResponse response;
    const std::string id = request.transactional_id.value_or("");
    Transaction& transaction = transactions[id];
    if (transaction.id < 0) transaction.id = 1000 + static_cast<int64_t>(transactions.size());
    if (transaction.ending || happens(faults.concurrent)) {
      response.error_code = static_cast<int16_t>(Code::kConcurrentTransactions);
    } else if (!transaction.partitions.empty()) {
      end_later(id, ++transaction.epoch);
      response.error_code = static_cast<int16_t>(Code::kConcurrentTransactions);
    } else {
      response.producer_id = transaction.id;
      response.producer_epoch = ++transaction.epoch;
    }
    response.encode(asked.out, asked.version);
  }

  Code check(const Transaction& transaction, int64_t id, int16_t epoch) {
    if (transaction.id != id) return Code::kInvalidProducerIdMapping;
    if (transaction.epoch != epoch) return Code::kProducerFenced;
    if (transaction.ending || happens(faults.concurrent)) return Code::kConcurrentTransactions;
    return Code::kNone;
  }

  void add_partitions(Asked& asked) {
    auto request = kafka::AddPartitionsToTxnRequest::decode(asked.body, asked.version).value();
    kafka::AddPartitionsToTxnResponse response;
    Transaction& transaction = transactions[request.v3_and_below_transactional_id];
    const Code code = check(transaction, request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
    for (const auto& topic : request.v3_and_below_topics) {
      auto& result = response.results_by_topic_v3_and_below.emplace_back();
      result.name = topic.name;
      for (int32_t index : topic.partitions) {
        auto& each = result.results_by_partition.emplace_back();
        each.partition_index = index;
        each.partition_error_code = static_cast<int16_t>(code);
        if (code == Code::kNone) transaction.partitions.insert({topic.name, index});
      }
    }
    response.encode(asked.out, asked.version);
  }

  void end_txn(Asked& asked) {
    auto request = kafka::EndTxnRequest::decode(asked.body, asked.version).value();
    kafka::EndTxnResponse response;
    Transaction& transaction = transactions[request.transactional_id];
    const Code code = check(transaction, request.producer_id, request.producer_epoch);
    response.error_code = static_cast<int16_t>(code);
    // One that ended before is ended again, and well.
    if (code == Code::kNone && !transaction.partitions.empty()) end_later(request.transactional_id, transaction.epoch);
    response.encode(asked.out, asked.version);
  }

  void describe_producers(Asked& asked) {
    auto request = kafka::DescribeProducersRequest::decode(asked.body, asked.version).value();
    kafka::DescribeProducersResponse response;
    for (const auto& topic : request.topics) {
      auto& result = response.topics.emplace_back();
      result.name = topic.name;
      for (int32_t index : topic.partition_indexes) {
        auto& each = result.partitions.emplace_back();
        each.partition_index = index;
        for (const auto& [id, producer] : partition(topic.name, index).producers) {
          auto& state = each.active_producers.emplace_back();
          state.producer_id = id;
          state.producer_epoch = producer.epoch;
          state.last_sequence = producer.last_sequence;
        }
      }
    }
    response.encode(asked.out, asked.version);
  }

  void list_offsets(Asked& asked) {
    auto request = kafka::ListOffsetsRequest::decode(asked.body, asked.version).value();
    kafka::ListOffsetsResponse response;
    for (const auto& topic : request.topics) {
      auto& result = response.topics.emplace_back();
      result.name = topic.name;
      for (const auto& wanted : topic.partitions) {
        auto& each = result.partitions.emplace_back();
        each.partition_index = wanted.partition_index;
        FakePartition& found = partition(topic.name, wanted.partition_index);
        each.offset = wanted.timestamp == -2 ? found.log_start : found.end;
      }
    }
    response.encode(asked.out, asked.version);
  }

  void end_of_epoch(Asked& asked) {
    auto request = kafka::OffsetForLeaderEpochRequest::decode(asked.body, asked.version).value();
    kafka::OffsetForLeaderEpochResponse response;
    for (const auto& topic : request.topics) {
      auto& result = response.topics.emplace_back();
      result.topic = topic.topic;
      for (const auto& wanted : topic.partitions) {
        auto& each = result.partitions.emplace_back();
        each.partition = wanted.partition;
        each.leader_epoch = wanted.leader_epoch;
        each.end_offset = partition(topic.topic, wanted.partition).end_of_epoch(wanted.leader_epoch);
      }
    }
    response.encode(asked.out, asked.version);
  }

  void fetch(Asked& asked) {
    auto request = kafka::FetchRequest::decode(asked.body, asked.version).value();
    kafka::FetchResponse response;
    for (const auto& topic : request.topics) {
      auto& result = response.responses.emplace_back();
      result.topic = topic.topic;
      result.topic_id = topic.topic_id;
      for (const auto& wanted : topic.partitions) {
        auto& each = result.partitions.emplace_back();
        each.partition_index = wanted.partition;
        each.records = kafka::Records::empty();
        FakePartition* found = find(topic.topic, topic.topic_id, wanted.partition);
        if (!found) {
          each.error_code = static_cast<int16_t>(Code::kUnknownTopicOrPartition);
          continue;
        }
        each.high_watermark = each.last_stable_offset = found->end;
        each.log_start_offset = found->log_start;
        if (wanted.fetch_offset < found->log_start || wanted.fetch_offset > found->end) {
          each.error_code = static_cast<int16_t>(Code::kOffsetOutOfRange);
          continue;
        }
        size_t bytes = 0;
        const size_t bytes_max = static_cast<size_t>(env_->random().between(1, 20'000));
        for (const auto& stored : found->log) {
          if (stored.header.next().value() <= wanted.fetch_offset) continue;
          if (bytes > 0 && bytes + stored.bytes.size() > bytes_max) break;
          bytes += stored.bytes.size();
          each.records.append(ConstBytes(stored.bytes));
        }
      }
    }
    response.encode(asked.out, asked.version);
  }

  bool produce(Asked& asked) {
    auto request = kafka::ProduceRequest::decode(asked.body, asked.version).value();
    kafka::ProduceResponse response;
    ++produce_requests;
    const auto refusal = std::exchange(refuse_next_produce, std::nullopt);
    for (const auto& topic : request.topic_data) {
      auto& result = response.responses.emplace_back();
      result.name = topic.name;
      result.topic_id = topic.topic_id;
      for (const auto& data : topic.partition_data) {
        auto& each = result.partition_responses.emplace_back();
        each.index = data.index;
        FakePartition* found = find(topic.name, topic.topic_id, data.index);
        if (!found) {
          each.error_code = static_cast<int16_t>(Code::kUnknownTopicOrPartition);
          continue;
        }
        if (refusal) {
          each.error_code = *refusal;
          continue;
        }
        if (happens(faults.foreign)) found->write_foreign(now_ms());
        auto produced = found->produce(data.records.bytes());
        each.error_code = static_cast<int16_t>(produced.code);
        each.base_offset = produced.base;
      }
    }
    response.encode(asked.out, asked.version);
    return !happens(faults.drop_ack);
  }

  sim::SimEnv* env_ = nullptr;
  std::unique_ptr<Process> process_;
};

}  // namespace farshore::replicator
