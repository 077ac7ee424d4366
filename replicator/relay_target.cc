#include "replicator/relay_target.h"

#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/init_producer_id.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::replicator {

namespace {

using Code = kafka::ErrorCode;

constexpr int64_t kEarliest = -2, kLatest = -1;  // ListOffsets' timestamps
constexpr int32_t kTransactionTimeoutMs = 60'000;
constexpr int16_t kEndTxnVersionMax = 4;  // 5 would raise the epoch once more (KIP-890)
constexpr int kLostRacesMax = 5;

bool fences(Code code) {
  switch (code) {
    case Code::kInvalidProducerEpoch:
    case Code::kProducerFenced:
    case Code::kInvalidProducerIdMapping:
    case Code::kInvalidTxnState:
      return true;
    default:
      return false;
  }
}

// Also what a partition of a transaction says while others of the same request are not known yet.
bool passes(Code code) { return kafka::error_retriable(code) || code == Code::kOperationNotAttempted; }

// The connection is gone, or never was; another try may find another one.
bool passes(const Error& error) { return error_retriable(error.code) || error.code == ErrorCode::kNotFound; }

std::string name_of(const TopicPartition& at) { return at.topic + "-" + std::to_string(at.partition); }

}  // namespace

Task<Status> RelayTarget::pause(int tries, Error last, Deadline deadline) {
  auto paused = co_await cluster_.pause(tries, deadline);
  if (paused) co_return ok();
  co_return Error(paused.error().code, paused.error().detail + "; last: " + last.to_string());
}

template <class Request, class CodeOf>
Task<Result<typename Request::Response>> RelayTarget::at_leader(TopicPartition at, Request request, CodeOf code_of,
                                                                Deadline deadline) {
  Error last;
  for (int tries = 0;; ++tries) {
    CO_TRY(kafka::Leader leader, co_await cluster_.leader(at, deadline));
    auto client = co_await cluster_.broker(leader.broker, deadline);
    if (client) {
      Request copy = request;
      auto response = co_await (*client)->call(std::move(copy), attempt(deadline));
      if (response) {
        const auto code = static_cast<Code>(code_of(*response));
        if (code == Code::kNone) co_return response;
        last = kafka::to_error(code, "target partition " + name_of(at));
        if (!passes(code)) co_return last;
      } else {
        last = response.error();
        if (!passes(last)) co_return last;
      }
    } else {
      last = client.error();
      if (!passes(last)) co_return last;
    }
    cluster_.forget_leader(at);
    CO_CHECK(co_await pause(tries, last, deadline));
  }
}

template <class Request, class CodeOf>
Task<Result<typename Request::Response>> RelayTarget::at_coordinator(std::string id, Request request, CodeOf code_of,
                                                                     Deadline deadline) {
  constexpr auto kKind = kafka::CoordinatorKind::kTransaction;
  Error last;
  for (int tries = 0;; ++tries) {
    CO_TRY(int32_t broker, co_await cluster_.coordinator(kKind, id, deadline));
    auto client = co_await cluster_.broker(broker, deadline);
    bool elsewhere = true;
    if (client) {
      Request copy = request;
      auto response = co_await (*client)->call(std::move(copy), attempt(deadline), kEndTxnVersionMax);
      if (response) {
        const auto code = static_cast<Code>(code_of(*response));
        if (code == Code::kNone) co_return response;
        if (fences(code))
          co_return Error(ErrorCode::kFenced, std::string(kafka::error_name(code))).in("transactional id " + id);
        last = kafka::to_error(code, "transactional id " + id);
        if (!passes(code)) co_return last;
        elsewhere = code == Code::kNotCoordinator || code == Code::kCoordinatorNotAvailable;
      } else {
        last = response.error();
        if (!passes(last)) co_return last;
      }
    } else {
      last = client.error();
      if (!passes(last)) co_return last;
    }
    if (elsewhere) cluster_.forget_coordinator(kKind, id);
    CO_CHECK(co_await pause(tries, last, deadline));
  }
}

Task<Result<TargetOffset>> RelayTarget::offset_at(TopicPartition at, int64_t timestamp, Deadline deadline) {
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = at.topic;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = at.partition;
  partition.timestamp = timestamp;
  auto code_of = [](const kafka::ListOffsetsResponse& answer) {
    if (answer.topics.empty() || answer.topics[0].partitions.empty())
      return static_cast<int16_t>(Code::kUnknownServerError);
    return answer.topics[0].partitions[0].error_code;
  };
  CO_TRY(auto answer, co_await at_leader(std::move(at), std::move(request), code_of, deadline));
  co_return TargetOffset(answer.topics[0].partitions[0].offset);
}

Task<Result<TargetEnds>> RelayTarget::ends(TopicPartition at, Deadline deadline) {
  TargetEnds ends;
  CO_TRY(ends.log_start, co_await offset_at(at, kEarliest, deadline));
  CO_TRY(ends.high_watermark, co_await offset_at(at, kLatest, deadline));
  co_return ends;
}

Task<Result<std::vector<RememberedProducer>>> RelayTarget::producers(TopicPartition at, Deadline deadline) {
  kafka::DescribeProducersRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = at.topic;
  topic.partition_indexes.push_back(at.partition);
  auto code_of = [](const kafka::DescribeProducersResponse& answer) {
    if (answer.topics.empty() || answer.topics[0].partitions.empty())
      return static_cast<int16_t>(Code::kUnknownServerError);
    return answer.topics[0].partitions[0].error_code;
  };
  std::vector<RememberedProducer> remembered;
  auto answer = co_await at_leader(std::move(at), std::move(request), code_of, deadline);
  if (!answer) {
    if (answer.error().code == ErrorCode::kUnsupported) co_return remembered;  // older than KIP-664
    co_return std::move(answer).error();
  }
  for (const auto& each : answer->topics[0].partitions[0].active_producers)
    remembered.push_back({{each.producer_id, static_cast<int16_t>(each.producer_epoch)}, each.last_sequence});
  co_return remembered;
}

Task<Result<std::optional<TargetOffset>>> RelayTarget::end_of_epoch(TopicPartition at, LeadershipEpoch epoch,
                                                                    Deadline deadline) {
  kafka::OffsetForLeaderEpochRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.topic = at.topic;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = at.partition;
  partition.leader_epoch = epoch.value();
  auto code_of = [](const kafka::OffsetForLeaderEpochResponse& answer) {
    if (answer.topics.empty() || answer.topics[0].partitions.empty())
      return static_cast<int16_t>(Code::kUnknownServerError);
    return answer.topics[0].partitions[0].error_code;
  };
  std::optional<TargetOffset> end;
  auto answer = co_await at_leader(std::move(at), std::move(request), code_of, deadline);
  if (!answer) {
    if (answer.error().code == ErrorCode::kUnsupported) co_return end;
    co_return std::move(answer).error();
  }
  if (int64_t offset = answer->topics[0].partitions[0].end_offset; offset >= 0) end = TargetOffset(offset);
  co_return end;
}

Task<Result<RelayProducer>> RelayTarget::init_producer(std::string transactional_id, Deadline deadline) {
  kafka::InitProducerIdRequest request;
  request.transactional_id = transactional_id;
  request.transaction_timeout_ms = kTransactionTimeoutMs;
  auto code_of = [](const kafka::InitProducerIdResponse& answer) { return answer.error_code; };
  CO_TRY(auto answer, co_await at_coordinator(std::move(transactional_id), std::move(request), code_of, deadline));
  co_return RelayProducer{answer.producer_id, answer.producer_epoch};
}

Task<Status> RelayTarget::abort(std::string transactional_id, RelayProducer producer,
                                std::vector<TopicPartition> partitions, Deadline deadline) {
  kafka::AddPartitionsToTxnRequest add;
  add.v3_and_below_transactional_id = transactional_id;
  add.v3_and_below_producer_id = producer.id;
  add.v3_and_below_producer_epoch = producer.epoch;
  for (const TopicPartition& at : partitions) {
    auto& topic = add.v3_and_below_topics.emplace_back();
    topic.name = at.topic;
    topic.partitions.push_back(at.partition);
  }
  // One that fences counts most, then one that does not pass.
  auto worst = [](const kafka::AddPartitionsToTxnResponse& answer) {
    auto weight = [](Code code) { return code == Code::kNone ? 0 : fences(code) ? 3 : passes(code) ? 1 : 2; };
    Code found = Code::kNone;
    for (const auto& topic : answer.results_by_topic_v3_and_below) {
      for (const auto& each : topic.results_by_partition) {
        const auto code = static_cast<Code>(each.partition_error_code);
        if (weight(code) > weight(found)) found = code;
      }
    }
    return static_cast<int16_t>(found);
  };
  CO_CHECK(co_await at_coordinator(transactional_id, std::move(add), worst, deadline));
  kafka::EndTxnRequest end;
  end.transactional_id = transactional_id;
  end.producer_id = producer.id;
  end.producer_epoch = producer.epoch;
  end.committed = false;
  auto code_of = [](const kafka::EndTxnResponse& answer) { return answer.error_code; };
  CO_CHECK(co_await at_coordinator(transactional_id, std::move(end), code_of, deadline));
  co_return ok();
}

Task<Result<RelayProducer>> RelayTarget::fence(std::string transactional_id, std::vector<TopicPartition> partitions,
                                               Deadline deadline) {
  // A request of an earlier attempt may still lie in the target's socket and raise the epoch after us. That ends; a
  // gateway that takes over again and again does not.
  for (int lost = 1;; ++lost) {
    Status fenced;
    auto producer = co_await init_producer(transactional_id, deadline);
    if (producer) {
      fenced = co_await abort(transactional_id, *producer, partitions, deadline);
      if (fenced) co_return producer;
    } else {
      fenced = Status(producer.error());
    }
    if (fenced.error().code != ErrorCode::kFenced || lost == kLostRacesMax) co_return std::move(fenced).error();
    CO_CHECK(co_await cluster_.pause(lost, deadline));
  }
}

}  // namespace farshore::replicator
