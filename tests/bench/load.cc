#include "tests/bench/load.h"

#include <algorithm>

#include "base/gate.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::bench {

namespace {

constexpr Duration kRequestLimit = seconds(60);
constexpr Duration kPollInterval = milliseconds(2);
constexpr int64_t kLatest = -1;

kafka::ClusterOptions options_for(const Endpoint& bootstrap) {
  kafka::ClusterOptions options;
  options.bootstrap = {bootstrap};
  return options;
}

Task<Status> create(Env& env, kafka::ClusterClient& cluster, TopicAt at) {
  kafka::CreateTopicsRequest request;
  request.timeout_ms = 30'000;
  auto& topic = request.topics.emplace_back();
  topic.name = at.topic;
  topic.num_partitions = at.partitions;
  topic.replication_factor = 1;
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), kafka::Repeat::kYes, env.in(kRequestLimit)));
  for (const auto& each : response.topics) {
    if (each.error_code != 0 && each.error_code != static_cast<int16_t>(kafka::ErrorCode::kTopicAlreadyExists))
      co_return kafka::to_error(each.error_code, "creating " + each.name);
  }
  co_return ok();
}

// The shared state of requests that are under way.
struct Producer {
  Producer(Env& e, TopicAt a) : env(e), at(std::move(a)), cluster(e, e.network(), options_for(at.bootstrap)), gate(e) {}
  Env& env;
  TopicAt at;
  kafka::ClusterClient cluster;
  Gate gate;
  std::unique_ptr<kafka::Client> client;
  Uuid topic_id;
  std::vector<Batch> batches;
  size_t next_batch = 0;
  uint64_t bytes_left = 0;
  Produced produced;
  Error failed;
};

Task<Status> send_one(Producer& producer) {
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = producer.at.topic;
  topic.topic_id = producer.topic_id;
  for (int32_t partition = 0; partition < producer.at.partitions; ++partition) {
    const Batch& batch = producer.batches[producer.next_batch++ % producer.batches.size()];
    auto& data = topic.partition_data.emplace_back();
    data.index = partition;
    data.records = kafka::Records::view(batch.bytes);
    producer.produced.records += static_cast<uint64_t>(batch.records);
    producer.produced.value_bytes += batch.value_bytes;
    producer.produced.wire_bytes += batch.bytes.size();
    producer.bytes_left -= std::min<uint64_t>(producer.bytes_left, batch.bytes.size());
  }
  CO_TRY(auto response, co_await producer.client->call(std::move(request), producer.env.in(kRequestLimit)));
  for (const auto& each : response.responses) {
    for (const auto& partition : each.partition_responses) {
      if (partition.error_code != 0) co_return kafka::to_error(partition.error_code, "produce");
    }
  }
  co_return ok();
}

Task<void> send_many(Producer& producer) {
  while (producer.bytes_left > 0 && producer.failed.code == ErrorCode::kNone) {
    auto sent = co_await send_one(producer);
    if (!sent) producer.failed = sent.error();
  }
}

Task<Result<uint64_t>> records_at(Env& env, kafka::ClusterClient& cluster, TopicAt at) {
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = at.topic;
  for (int32_t i = 0; i < at.partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.current_leader_epoch = -1;
    partition.timestamp = kLatest;
  }
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), kafka::Repeat::kYes, env.in(kRequestLimit)));
  uint64_t records = 0;
  for (const auto& each : response.topics) {
    for (const auto& partition : each.partitions) {
      if (partition.error_code == 0) records += static_cast<uint64_t>(std::max<int64_t>(partition.offset, 0));
    }
  }
  co_return records;
}

}  // namespace

Task<Result<Produced>> produce(Env& env, TopicAt at, PayloadOptions payload, uint64_t bytes, int in_flight) {
  Producer producer(env, std::move(at));
  producer.batches = make_batches(payload, env.wall_now());
  producer.bytes_left = bytes;
  CO_CHECK(co_await create(env, producer.cluster, producer.at));
  TopicPartition first{producer.at.topic, 0};
  CO_TRY(kafka::Leader leader, co_await producer.cluster.leader(first, env.in(kRequestLimit)));
  producer.topic_id = leader.topic_id;
  CO_TRY(producer.client, co_await producer.cluster.open(leader.broker, env.in(kRequestLimit)));
  const MonoTime begin = env.now();
  for (int i = 0; i < in_flight; ++i) spawn(producer.gate, "producer", send_many(producer));
  co_await producer.gate.close();
  producer.produced.took = env.now() - begin;
  producer.client->close();
  producer.cluster.close();
  if (producer.failed.code != ErrorCode::kNone) co_return producer.failed;
  co_return producer.produced;
}

Task<Result<uint64_t>> wait_for_records(Env& env, TopicAt at, uint64_t records, Deadline deadline) {
  kafka::ClusterClient cluster(env, env.network(), options_for(at.bootstrap));
  uint64_t last = 0;
  while (!deadline.passed(env.now())) {
    auto now = co_await records_at(env, cluster, at);
    if (!now) co_return now;
    last = *now;
    if (last >= records) co_return last;
    Notifier never(env);
    (void)co_await never.wait(env.in(kPollInterval));
  }
  co_return Error(ErrorCode::kTimedOut, "only " + std::to_string(last) + " records are there");
}

}  // namespace farshore::bench
