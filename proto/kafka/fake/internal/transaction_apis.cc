#include "proto/kafka/fake/internal/transaction_apis.h"

#include <algorithm>

#include "proto/kafka/fake/internal/wire_code.h"
#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/describe_transactions.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/init_producer_id.h"

namespace farshore::kafka {

// Writes markers with the current epoch, some milliseconds later.
void TransactionApis::end_later(const std::string& transactional_id) {
  FakeTransactionalId& owner = cluster_.transactional_ids[transactional_id];
  owner.ending = true;
  spawn(gate_, "markers", write_markers(transactional_id, owner.producer_id, owner.epoch));
}

Task<void> TransactionApis::write_markers(std::string transactional_id, int64_t producer_id, int16_t epoch) {
  const std::set<TopicPartition> partitions = cluster_.transactional_ids[transactional_id].partitions;
  for (const TopicPartition& where : partitions) {
    co_await env_.sleep(milliseconds(env_.random().between(0, 30)));
    FakePartition* to = cluster_.find(where.topic, where.partition);
    if (!to) continue;
    to->write_marker(producer_id, epoch, env_.wall_now().milliseconds_since_epoch);
    ++cluster_.markers;
    appended_.notify();
  }
  cluster_.transactional_ids[transactional_id].partitions.clear();
  cluster_.transactional_ids[transactional_id].ending = false;
}

void TransactionApis::init_producer_id(FakeCall& call) {
  auto request = call.decode<InitProducerIdRequest>();
  InitProducerIdResponse response;
  if (!request.transactional_id) {
    response.producer_id = next_producer_id_++;
    response.producer_epoch = 0;
    return call.reply(response);
  }
  FakeTransactionalId& owner = cluster_.transactional_ids[*request.transactional_id];
  if (owner.producer_id < 0) owner.producer_id = next_producer_id_++;
  if (request.producer_id >= 0 && owner.epoch >= 0 && request.producer_id != owner.producer_id) {
    response.error_code = wire(ErrorCode::kProducerFenced);
  } else if (owner.ending || happens(cluster_.chances.concurrent)) {
    response.error_code = wire(ErrorCode::kConcurrentTransactions);
  } else if (!owner.partitions.empty()) {  // aborted first, with an epoch that fences the former owner
    ++owner.epoch;
    owner.last_epoch = -1;
    end_later(*request.transactional_id);
    response.error_code = wire(ErrorCode::kConcurrentTransactions);
  } else {
    response.error_code = wire(raise(owner, request.producer_id, request.producer_epoch));
    response.producer_id = owner.producer_id;
    response.producer_epoch = owner.epoch;
  }
  call.reply(response);
}

// KIP-360, as TransactionMetadata.prepareIncrementProducerEpoch.
ErrorCode TransactionApis::raise(FakeTransactionalId& owner, int64_t producer_id, int16_t epoch) {
  if (producer_id < 0 || owner.epoch < 0) {
    ++owner.epoch;
    owner.last_epoch = -1;
    return ErrorCode::kNone;
  }
  if (producer_id != owner.producer_id) return ErrorCode::kProducerFenced;
  if (epoch == owner.epoch) {
    owner.last_epoch = owner.epoch++;
    return ErrorCode::kNone;
  }
  return epoch == owner.last_epoch ? ErrorCode::kNone : ErrorCode::kProducerFenced;
}

ErrorCode TransactionApis::check(const FakeTransactionalId& owner, int64_t producer_id, int16_t epoch) {
  if (owner.producer_id != producer_id) return ErrorCode::kInvalidProducerIdMapping;
  if (owner.epoch != epoch) return ErrorCode::kProducerFenced;
  if (cluster_.answers_concurrent_transactions > 0) {
    --cluster_.answers_concurrent_transactions;
    return ErrorCode::kConcurrentTransactions;
  }
  return owner.ending || happens(cluster_.chances.concurrent) ? ErrorCode::kConcurrentTransactions : ErrorCode::kNone;
}

void TransactionApis::add_partitions(FakeCall& call) {
  auto request = call.decode<AddPartitionsToTxnRequest>();
  AddPartitionsToTxnResponse response;
  FakeTransactionalId& owner = cluster_.transactional_ids[request.v3_and_below_transactional_id];
  const ErrorCode code = check(owner, request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
  bool unknown = false;
  for (const auto& topic : request.v3_and_below_topics)
    for (int32_t index : topic.partitions) unknown = unknown || !cluster_.find(topic.name, index);
  for (const auto& topic : request.v3_and_below_topics) {
    auto& result = response.results_by_topic_v3_and_below.emplace_back();
    result.name = topic.name;
    for (int32_t index : topic.partitions) {
      auto& answer = result.results_by_partition.emplace_back();
      answer.partition_index = index;
      answer.partition_error_code = wire(code);
      if (code == ErrorCode::kNone && unknown)
        answer.partition_error_code = wire(cluster_.find(topic.name, index) ? ErrorCode::kOperationNotAttempted
                                                                            : ErrorCode::kUnknownTopicOrPartition);
      if (answer.partition_error_code == 0) owner.partitions.insert({topic.name, index});
    }
  }
  call.reply(response);
}

void TransactionApis::end_txn(FakeCall& call) {
  auto request = call.decode<EndTxnRequest>();
  EndTxnResponse response;
  FakeTransactionalId& owner = cluster_.transactional_ids[request.transactional_id];
  const ErrorCode code =
      request.committed ? ErrorCode::kInvalidTxnState : check(owner, request.producer_id, request.producer_epoch);
  response.error_code = wire(code);
  // An abort of a transaction that has already ended succeeds.
  if (code == ErrorCode::kNone && !owner.partitions.empty()) end_later(request.transactional_id);
  call.reply(response);
}

void TransactionApis::describe_transactions(FakeCall& call) {
  auto request = call.decode<DescribeTransactionsRequest>();
  DescribeTransactionsResponse response;
  for (const std::string& id : request.transactional_ids) {
    auto& answer = response.transaction_states.emplace_back();
    answer.transactional_id = id;
    auto it = cluster_.transactional_ids.find(id);
    if (it == cluster_.transactional_ids.end() || it->second.producer_id < 0) {
      answer.error_code = wire(ErrorCode::kTransactionalIdNotFound);
      answer.producer_id = answer.producer_epoch = -1;
      continue;
    }
    answer.transaction_state = it->second.partitions.empty() ? "CompleteAbort" : "Ongoing";
    answer.producer_id = it->second.producer_id;
    answer.producer_epoch = it->second.epoch;
  }
  call.reply(response);
}

}  // namespace farshore::kafka
