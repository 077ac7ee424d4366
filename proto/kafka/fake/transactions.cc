// FakeKafka's transaction coordinator: just what a fence needs. A transaction can be aborted, never committed.
#include <algorithm>

#include "proto/batch/builder.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/init_producer_id.h"

namespace farshore::kafka {

namespace {

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace

void FakeKafka::mark(TransactionalId& owner) {
  for (const TopicPartition& where : std::exchange(owner.partitions, {})) {
    Partition* to = find(where.topic, where.partition);
    if (!to) continue;
    BatchBuilder builder;
    builder.producer(owner.producer_id, owner.epoch, -1).transactional();
    builder.add_marker(ControlType::kAbort, 0, env_.wall_now().milliseconds_since_epoch);
    append(where.topic, where.partition, builder.build());
    ProducerState& state = to->producers[owner.producer_id];
    state.epoch = owner.epoch;
    state.last_sequence = -1;
    state.recent.clear();
  }
}

void FakeKafka::init_producer_id(Call& call) {
  auto request = call.decode<InitProducerIdRequest>();
  InitProducerIdResponse response;
  if (!request.transactional_id) {
    response.producer_id = next_producer_id_++;
    response.producer_epoch = 0;
    return response.encode(call.out, call.version());
  }
  TransactionalId& owner = transactional_ids[*request.transactional_id];
  if (owner.producer_id < 0) owner.producer_id = next_producer_id_++;
  ++owner.epoch;
  if (!owner.partitions.empty()) {  // the former owner's transaction is aborted first, under an epoch that fences it
    mark(owner);
    response.error_code = wire(ErrorCode::kConcurrentTransactions);
  } else {
    response.producer_id = owner.producer_id;
    response.producer_epoch = owner.epoch;
  }
  response.encode(call.out, call.version());
}

void FakeKafka::add_partitions(Call& call) {
  auto request = call.decode<AddPartitionsToTxnRequest>();
  AddPartitionsToTxnResponse response;
  TransactionalId& owner = transactional_ids[request.v3_and_below_transactional_id];
  ErrorCode code = ErrorCode::kNone;
  if (owner.producer_id != request.v3_and_below_producer_id) code = ErrorCode::kInvalidProducerIdMapping;
  if (owner.epoch != request.v3_and_below_producer_epoch) code = ErrorCode::kProducerFenced;
  if (code == ErrorCode::kNone && answers_concurrent_transactions > 0) {
    --answers_concurrent_transactions;
    code = ErrorCode::kConcurrentTransactions;
  }
  bool unknown = false;
  for (const auto& topic : request.v3_and_below_topics)
    for (int32_t index : topic.partitions) unknown = unknown || !find(topic.name, index);
  for (const auto& topic : request.v3_and_below_topics) {
    auto& told = response.results_by_topic_v3_and_below.emplace_back();
    told.name = topic.name;
    for (int32_t index : topic.partitions) {
      auto& answer = told.results_by_partition.emplace_back();
      answer.partition_index = index;
      answer.partition_error_code = wire(code);
      if (code == ErrorCode::kNone && unknown)
        answer.partition_error_code =
            wire(find(topic.name, index) ? ErrorCode::kOperationNotAttempted : ErrorCode::kUnknownTopicOrPartition);
      if (answer.partition_error_code == 0) owner.partitions.push_back({topic.name, index});
    }
  }
  response.encode(call.out, call.version());
}

void FakeKafka::end_txn(Call& call) {
  auto request = call.decode<EndTxnRequest>();
  EndTxnResponse response;
  TransactionalId& owner = transactional_ids[request.transactional_id];
  if (request.committed) {
    response.error_code = wire(ErrorCode::kInvalidTxnState);
  } else if (owner.producer_id != request.producer_id) {
    response.error_code = wire(ErrorCode::kInvalidProducerIdMapping);
  } else if (owner.epoch != request.producer_epoch) {
    response.error_code = wire(ErrorCode::kProducerFenced);
  } else if (answers_concurrent_transactions > 0) {
    --answers_concurrent_transactions;
    response.error_code = wire(ErrorCode::kConcurrentTransactions);
  } else {
    mark(owner);  // a second time there is nothing left to mark: answered as the first
  }
  response.encode(call.out, call.version());
}

}  // namespace farshore::kafka
