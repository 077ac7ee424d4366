#include "proto/kafka/client/fence.h"

#include <algorithm>

#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/init_producer_id.h"

namespace farshore::kafka {

namespace {

using Code = ErrorCode;

constexpr int32_t kTransactionTimeoutMs = 60'000;  // then the coordinator aborts a transaction that we left open
constexpr int kUnknownTopicAttempts = 8;           // until every broker knows a new topic
constexpr int kLostRacesMax = 5;

// The outcome of one step: finished, or to be repeated.
enum class Next : uint8_t { kDone, kAgain };

Result<Next> judge(Code code, std::string_view what) {
  switch (code) {
    case Code::kNone:
      return Next::kDone;
    case Code::kConcurrentTransactions:
    case Code::kNotCoordinator:
    case Code::kCoordinatorNotAvailable:
    case Code::kCoordinatorLoadInProgress:
    case Code::kRequestTimedOut:
    case Code::kNetworkException:
      return Next::kAgain;
    case Code::kInvalidProducerEpoch:
    case Code::kProducerFenced:
    case Code::kInvalidTxnState:
    case Code::kInvalidProducerIdMapping:  // the id expired between two of our calls
      return Error(farshore::ErrorCode::kFenced, std::string(error_name(code))).in(what);
    default:
      return to_error(code, what);
  }
}

// One code for all partitions: the first error, OPERATION_NOT_ATTEMPTED only if there is no other.
Code worst(const AddPartitionsToTxnResponse& response) {
  Code found = Code::kNone;
  for (const auto& topic : response.results_by_topic_v3_and_below)
    for (const auto& partition : topic.results_by_partition) {
      const auto code = static_cast<Code>(partition.partition_error_code);
      if (code == Code::kNone) continue;
      // OPERATION_NOT_ATTEMPTED says only that another partition failed.
      if (found == Code::kNone || found == Code::kOperationNotAttempted) found = code;
    }
  return found;
}

AddPartitionsToTxnRequest add_request(const std::string& transactional_id, ProducerIdentity producer,
                                      const std::vector<TopicPartition>& sorted) {
  AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = transactional_id;
  request.v3_and_below_producer_id = producer.id;
  request.v3_and_below_producer_epoch = producer.epoch;
  for (const TopicPartition& each : sorted) {
    auto& topics = request.v3_and_below_topics;
    if (topics.empty() || topics.back().name != each.topic) topics.emplace_back().name = each.topic;
    topics.back().partitions.push_back(each.partition);
  }
  return request;
}

Task<Status> add_partitions(ClusterClient& cluster, std::string transactional_id, ProducerIdentity producer,
                            std::vector<TopicPartition> partitions, Deadline deadline) {
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  int unknown = 0;
  for (int attempt = 0;; ++attempt) {
    auto request = add_request(transactional_id, producer, partitions);
    CO_TRY(auto response, co_await cluster.call_coordinator(CoordinatorKind::kTransaction, transactional_id,
                                                            std::move(request), Repeat::kYes, deadline));
    const Code code = worst(response);
    if (code != Code::kUnknownTopicOrPartition || ++unknown >= kUnknownTopicAttempts) {
      CO_TRY(Next next, judge(code, "AddPartitionsToTxn"));
      if (next == Next::kDone) co_return ok();
    }
    // The response has codes per partition only, so call_coordinator() cannot see that the coordinator moved.
    if (code == Code::kNotCoordinator || code == Code::kCoordinatorNotAvailable)
      cluster.forget_coordinator(CoordinatorKind::kTransaction, transactional_id);
    CO_CHECK(co_await cluster.pause(attempt, deadline));
  }
}

Task<Status> abort_transaction(ClusterClient& cluster, std::string transactional_id, ProducerIdentity producer,
                               Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    EndTxnRequest request;
    request.transactional_id = transactional_id;
    request.producer_id = producer.id;
    request.producer_epoch = producer.epoch;
    request.committed = false;
    // If the broker has already executed the abort, a repeated one gets the same answer.
    CO_TRY(auto response, co_await cluster.call_coordinator(CoordinatorKind::kTransaction, transactional_id,
                                                            std::move(request), Repeat::kYes, deadline));
    CO_TRY(Next next, judge(static_cast<Code>(response.error_code), "EndTxn"));
    if (next == Next::kDone) co_return ok();
    CO_CHECK(co_await cluster.pause(attempt, deadline));
  }
}

// `owner`: {-1, -1} takes the id from whoever has it.
Task<Result<ProducerIdentity>> init_producer_id(ClusterClient& cluster, std::string transactional_id,
                                                ProducerIdentity owner, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    InitProducerIdRequest request;
    request.transactional_id = transactional_id;
    request.transaction_timeout_ms = kTransactionTimeoutMs;
    request.producer_id = owner.id;
    request.producer_epoch = owner.epoch;
    // May be repeated. Without an owner the epoch rises each time, and only the last answer counts; an owner gets the
    // answer of the first time again.
    CO_TRY(auto response, co_await cluster.call_coordinator(CoordinatorKind::kTransaction, transactional_id,
                                                            std::move(request), Repeat::kYes, deadline));
    CO_TRY(Next next, judge(static_cast<Code>(response.error_code), "InitProducerId"));
    if (next == Next::kDone) {
      ProducerIdentity producer;
      producer.id = response.producer_id;
      producer.epoch = response.producer_epoch;
      co_return producer;
    }
    CO_CHECK(co_await cluster.pause(attempt, deadline));
  }
}

}  // namespace

Task<Result<ProducerIdentity>> raise_epoch(ClusterClient& cluster, std::string transactional_id, Deadline deadline) {
  return init_producer_id(cluster, std::move(transactional_id), ProducerIdentity{-1, -1}, deadline);
}

Task<Result<ProducerIdentity>> raise_own_epoch(ClusterClient& cluster, std::string transactional_id,
                                               ProducerIdentity owner, Deadline deadline) {
  return init_producer_id(cluster, std::move(transactional_id), owner, deadline);
}

Task<Status> send_markers(ClusterClient& cluster, std::string transactional_id, ProducerIdentity producer,
                          std::vector<TopicPartition> partitions, Deadline deadline) {
  CO_CHECK(co_await add_partitions(cluster, transactional_id, producer, std::move(partitions), deadline));
  co_return co_await abort_transaction(cluster, transactional_id, producer, deadline);
}

Task<Result<ProducerIdentity>> fence(ClusterClient& cluster, std::string transactional_id,
                                     std::vector<TopicPartition> partitions, Deadline deadline) {
  const std::string where = "takeover of " + transactional_id;
  // A delayed request of an earlier attempt may raise the epoch after us, so we try again. A few attempts are enough,
  // unless another gateway really takes over again and again.
  for (int lost = 1;; ++lost) {
    auto producer = co_await raise_epoch(cluster, transactional_id, deadline);
    Status done;
    if (producer) {
      done = co_await send_markers(cluster, transactional_id, *producer, partitions, deadline);
      if (done) co_return producer;
    } else {
      done = Status(std::move(producer).error());
    }
    if (done.error() != farshore::ErrorCode::kFenced || lost == kLostRacesMax)
      co_return std::move(done).error().in(where);
    CO_CHECK(co_await cluster.pause(lost, deadline));
  }
}

Task<Result<MarkerFound>> find_marker(ClusterClient& cluster, PartitionReader& reader, ProducerIdentity producer,
                                      OnBatch on_batch, Deadline deadline) {
  MarkerFound found;
  found.scanned_from = reader.position();
  const std::string where = "marker of producer " + std::to_string(producer.id) + ", epoch " +
                            std::to_string(producer.epoch) + " in " + reader.partition().topic + "-" +
                            std::to_string(reader.partition().partition);
  for (int attempt = 0;; ++attempt) {
    auto read = co_await reader.next(deadline);
    if (!read && read.error() == farshore::ErrorCode::kOutOfRange) {
      TopicPartition partition = reader.partition();
      CO_TRY(Offset start, co_await partition_offset(cluster, std::move(partition), OffsetOf::kLogStart, deadline));
      if (start == reader.position()) {  // above the end, then: a follower's view that has yet to grow
        CO_CHECK(co_await cluster.pause(attempt, deadline));
        continue;
      }
      reader.seek(start);
      found.scanned_from = start;
      continue;
    }
    if (!read) co_return std::move(read).error().in(where);
    found.log_start = read->log_start;
    found.high_watermark = read->high_watermark;
    size_t begin = 0;
    for (const BatchHeader& header : read->run.batches) {
      if (header.control() && header.producer_id == producer.id && header.producer_epoch == producer.epoch) {
        found.marker = header.first();
        reader.seek(header.next());
        co_return found;
      }
      if (on_batch) CO_CHECK(on_batch(header, read->run.bytes, begin));
      begin += header.size_bytes();
    }
  }
}

}  // namespace farshore::kafka
