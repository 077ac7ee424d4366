// Produce 3-13. The records are slices of the request's frame: checked, stamped in place and written once, never
// copied. This file checks each batch by itself (ProduceRequest's rules); the log checks the rules of the topic and
// the producer's state. Transactions are refused: there is no coordinator to end them, and an open one would stop
// every read_committed reader.
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "broker/handlers/internal/bad_records.h"
#include "broker/handlers/internal/client_deadline.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/repeats.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/metadata/topic_config.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::broker {

template <>
inline constexpr bool kHasViews<kafka::ProduceRequest> = true;

namespace {

using Code = kafka::ErrorCode;
using PartitionResponse = kafka::ProduceResponse::PartitionProduceResponse;

constexpr int16_t kTopicIdsFrom = 13;
constexpr int16_t kZstdFrom = 7;  // KIP-110

Code outcome_error(AppendOutcome outcome) {
  switch (outcome) {
    case AppendOutcome::kAppended:
    case AppendOutcome::kDuplicate:
      return Code::kNone;
    case AppendOutcome::kOutOfOrderSequence:
      return Code::kOutOfOrderSequenceNumber;
    case AppendOutcome::kInvalidProducerEpoch:
      return Code::kInvalidProducerEpoch;
    case AppendOutcome::kInvalidTxnState:
      return Code::kInvalidTxnState;
    case AppendOutcome::kCoordinatorFenced:
      return Code::kTransactionCoordinatorFenced;
    case AppendOutcome::kMessageTooLarge:
      return Code::kMessageTooLarge;
    case AppendOutcome::kInvalidTimestamp:
      return Code::kInvalidTimestamp;
    case AppendOutcome::kInvalidRecord:
      return Code::kInvalidRecord;
  }
  return Code::kUnknownServerError;
}

// The error for a batch that can never be valid. If its CRC is right, the client sent it so, and asking again cannot
// help; else it was damaged on the way. A header that no batch has counts as damage, as in Kafka.
Code broken_batch(ConstBytes bytes) {
  if (bytes.size() < kBatchHeaderBytes) return Code::kInvalidRecord;
  const size_t before_length = BatchField::kBatchLength + sizeof(int32_t);
  const auto length = load_be<int32_t>(bytes.data() + BatchField::kBatchLength);
  if (length < static_cast<int32_t>(kBatchHeaderBytes - before_length)) return Code::kCorruptMessage;
  if (std::to_integer<int8_t>(bytes[BatchField::kMagic]) != 2) return Code::kCorruptMessage;
  const ConstBytes batch = bytes.first(std::min(bytes.size(), before_length + static_cast<size_t>(length)));
  auto crc = load_be<uint32_t>(batch.data() + BatchField::kCrc);
  return crc32c(batch.subspan(BatchField::kAttributes)) == crc ? Code::kInvalidRecord : Code::kCorruptMessage;
}

// Whether there are all the bytes that the first batch announces.
bool first_is_whole(ConstBytes bytes) {
  if (bytes.size() < kBatchHeaderBytes) return false;
  const auto length = load_be<int32_t>(bytes.data() + BatchField::kBatchLength);
  return length >= 0 && static_cast<size_t>(length) <= bytes.size() - BatchField::kPartitionLeaderEpoch;
}

// Whether Kafka answers this code with the log's start: not where it does not trust that it knows the log.
bool tells_log_start(Code code) {
  return code != Code::kCorruptMessage && code != Code::kMessageTooLarge && code != Code::kUnknownTopicOrPartition &&
         code != Code::kNotLeaderOrFollower && code != Code::kKafkaStorageError;
}

// One v2 batch, and nothing else. `in_log`: set if Kafka refuses it in the log, not while it reads the request.
Refusal parse_records(const RequestContext& context, const kafka::Records& records, BatchRun& run, bool& in_log) {
  in_log = false;
  ConstBytes bytes = records.bytes();
  if (bytes.empty()) return {Code::kInvalidRecord, "a partition without a record batch"};
  if (bytes.size() > BatchField::kMagic && std::to_integer<int>(bytes[BatchField::kMagic]) < 2)
    return {Code::kInvalidRecord, "only record batches of magic 2 are taken"};
  SliceList slices;
  slices.append(context.slice_of(bytes));
  ParseBatches how;
  how.ordered = false;
  auto parsed = parse_batches(std::move(slices), how);
  if (!parsed) {
    in_log = parsed.error() != ErrorCode::kTruncated;
    const Code code = in_log || first_is_whole(bytes) ? broken_batch(bytes) : Code::kInvalidRecord;
    return {code, parsed.error().to_string()};
  }
  run = std::move(*parsed);
  if (run.batches.size() != 1)
    return {Code::kInvalidRecord, "exactly one record batch per partition, not " + std::to_string(run.batches.size())};
  const BatchHeader& header = run.batches.front();
  if (header.transactional())  // without a transactional id; with one, the whole request is refused before
    return {Code::kTransactionalIdAuthorizationFailed,
            "transactions are not supported: this cluster has no transaction coordinator"};
  in_log = true;
  if (header.base_offset != 0)
    return {Code::kInvalidRecord, "the batch's base offset is " + std::to_string(header.base_offset) + ", not 0"};
  if (header.compression() > Compression::kZstd ||
      (header.compression() == Compression::kZstd && context.api_version < kZstdFrom))
    return {Code::kUnsupportedCompressionType, "compression " + std::to_string(header.attributes & 7) +
                                                   " is not possible in Produce " +
                                                   std::to_string(context.api_version)};
  if (header.control()) return {Code::kInvalidRecord, "control batches are written by the broker only"};
  return {};
}

Refusal check_access(const Partition& partition) {
  switch (partition.client_access()) {
    case ClientAccess::kWritable:
      return {};
    case ClientAccess::kMirror:
      return {Code::kInvalidRequest, "topic " + partition.topic() + " is a mirror: only its link writes to it"};
    case ClientAccess::kFenced:
      // Retriable, and nothing was appended: if the promotion is given up, the client has lost no record.
      return {Code::kNotEnoughReplicas,
              "topic " + partition.topic() + " takes no writes while its mirror at another cluster is being promoted"};
    case ClientAccess::kReadOnly:
      return {Code::kInvalidRequest, "topic " + partition.topic() +
                                         " is read-only: its mirror at another cluster was promoted, write there "
                                         "(to write here again: farshore mirror unfence)"};
  }
  return {Code::kUnknownServerError, {}};
}

// One append that waits to be acknowledged. Its answer is filled already.
struct Pending {
  PartitionPtr partition;
  Offset last;
  size_t topic, index;  // of the answer
};

class Produce {
 public:
  Produce(RequestContext& context, kafka::ProduceRequest request)
      : context_(context), services_(context.services), request_(std::move(request)) {
    // With fsync no acknowledgement comes before the disk, not even the leader's own (acks=1): of a partition with one
    // replica the high watermark is the durable end.
    waits_ = request_.acks == -1 || (request_.acks == 1 && services_.partitions.durability() == Durability::kFsync);
  }

  Task<Result<kafka::ProduceResponse>> run() {
    context_.no_response = request_.acks == 0;
    Refusal all = check_request();
    Repeats<std::tuple<std::string, TopicId, int32_t>> repeats;
    for (const auto& topic : request_.topic_data)
      for (const auto& data : topic.partition_data) repeats.add({topic.name, topic.topic_id, data.index});
    ImagePtr image = services_.metadata.image();
    response_.responses.reserve(request_.topic_data.size());
    for (auto& topic : request_.topic_data) {
      if (topic.partition_data.empty()) continue;  // as Kafka, which answers by partition
      auto& to = response_.responses.emplace_back();
      const TopicImage* known =
          context_.api_version >= kTopicIdsFrom ? image->topic(topic.topic_id) : image->topic(topic.name);
      to.partition_responses.resize(topic.partition_data.size());
      for (size_t i = 0; i < topic.partition_data.size(); ++i) {
        PartitionResponse& answer = to.partition_responses[i];
        answer.index = topic.partition_data[i].index;
        answer.base_offset = -1;
        Refusal refusal = all;
        if (!refusal && repeats.repeated({topic.name, topic.topic_id, answer.index}))
          refusal = {Code::kInvalidRequest, "the partition is named twice in this request"};
        if (!refusal && known && known->internal)
          refusal = {Code::kInvalidTopicException, "topic " + known->name + " is the broker's own"};
        if (!refusal) refusal = co_await append(topic, topic.partition_data[i], answer);
        if (refusal) refuse(answer, std::move(refusal));
      }
      to.name = std::move(topic.name);
      to.topic_id = topic.topic_id;
    }
    request_.topic_data = {};
    context_.release_frame();
    if (!pending_.empty()) co_await wait_for_all();
    // Nobody reads an answer, so we close the connection, as Kafka does: the client then reads the metadata again.
    if (request_.acks == 0 && failed_) co_return Error(ErrorCode::kClosed, "a produce request with acks=0 failed");
    co_return std::move(response_);
  }

 private:
  Refusal check_request() const {
    if (request_.acks < -1 || request_.acks > 1)
      return {Code::kInvalidRequiredAcks, "acks is 0, 1 or -1, not " + std::to_string(request_.acks)};
    if (request_.transactional_id)
      return {Code::kInvalidTxnState, "transactions are not supported: this cluster has no transaction coordinator"};
    return {};
  }

  Task<Refusal> append(const kafka::ProduceRequest::TopicProduceData& topic,
                       const kafka::ProduceRequest::PartitionProduceData& data, PartitionResponse& answer) {
    FoundPartition found =
        context_.api_version >= kTopicIdsFrom
            ? find_partition(services_.partitions, *services_.metadata.image(), topic.topic_id, data.index)
            : find_partition(services_.partitions, std::string_view(topic.name), data.index);
    if (!found.partition) co_return found.refusal();
    Partition& partition = *found.partition;
    if (Refusal refusal = check_access(partition)) co_return refusal;
    BatchRun run;
    bool in_log = false;
    Refusal unread = parse_records(context_, data.records, run, in_log);
    if (in_log) answer.log_start_offset = partition.ends().log_start.value();
    if (unread) co_return unread;
    size_t bytes = run.bytes.size();
    auto info = co_await partition.append(std::move(run), AppendOrigin::kClient);
    answer.log_start_offset = partition.ends().log_start.value();
    if (!info) {
      Refusal refusal = refusal_of(info.error());
      co_return refusal;
    }
    if (Code code = outcome_error(info->outcome); code != Code::kNone) {
      Refusal refusal = refusal_of(code);
      refusal.message = std::move(info->refusal);
      name_bad_records(code, topic, data, answer);
      co_return refusal;
    }
    if (info->outcome == AppendOutcome::kAppended) services_.metrics.produced_bytes.add(bytes);
    answer.base_offset = info->first.value();
    answer.log_append_time_ms = info->log_append_time_ms;
    answer.log_start_offset = info->log_start.value();
    if (waits_ && partition.ends().high_watermark <= info->last) {
      size_t at = static_cast<size_t>(&answer - response_.responses.back().partition_responses.data());
      pending_.push_back({std::move(found.partition), info->last, response_.responses.size() - 1, at});
    }
    co_return Refusal{};
  }

  // KIP-467: producers then drop these records, and send the others of their batch again.
  void name_bad_records(Code code, const kafka::ProduceRequest::TopicProduceData& topic,
                        const kafka::ProduceRequest::PartitionProduceData& data, PartitionResponse& answer) const {
    ImagePtr image = services_.metadata.image();
    const TopicImage* known =
        context_.api_version >= kTopicIdsFrom ? image->topic(topic.topic_id) : image->topic(topic.name);
    BatchRun run;
    bool in_log = false;
    if (!known || parse_records(context_, data.records, run, in_log)) return;
    const LogOptions options = log_options(services_.config, *known);
    const int64_t now_ms = services_.env.wall_now().milliseconds_since_epoch;
    for (auto& bad : bad_records(run, code, options, now_ms)) {
      auto& to = answer.record_errors.emplace_back();
      to.batch_index = bad.index;
      to.batch_index_error_message = std::move(bad.message);
    }
  }

  // All appends are made already, so that they share their group commits.
  Task<void> wait_for_all() {
    Deadline deadline = client_deadline(services_.env, std::max(request_.timeout_ms, 0));
    for (auto& pending : pending_) {
      auto committed = co_await pending.partition->wait_committed(pending.last, deadline, &context_.connection.closed);
      if (committed) continue;
      Refusal refusal = refusal_of(committed.error());
      refusal.message = "appended, but not yet known to be safe: " + committed.error().to_string();
      refuse(response_.responses[pending.topic].partition_responses[pending.index], std::move(refusal));
    }
  }

  void refuse(PartitionResponse& answer, Refusal refusal) {
    services_.metrics.error(refusal.code);
    failed_ = true;
    answer.error_code = static_cast<int16_t>(refusal.code);
    answer.base_offset = -1;
    answer.log_append_time_ms = -1;
    if (!tells_log_start(refusal.code)) answer.log_start_offset = -1;
    if (!refusal.message.empty()) answer.error_message = std::move(refusal.message);
  }

  RequestContext& context_;
  Services& services_;
  kafka::ProduceRequest request_;
  kafka::ProduceResponse response_;
  std::vector<Pending> pending_;
  bool waits_ = false;
  bool failed_ = false;
};

}  // namespace

Task<Result<kafka::ProduceResponse>> handle_produce(RequestContext& context, kafka::ProduceRequest request) {
  Produce produce(context, std::move(request));
  co_return co_await produce.run();
}

ApiEntry produce_api() {
  return api<handle_produce>("Produce", {3, 13}, {kTopicWrite, kClusterIdempotentWrite, kTransactionalIdWrite});
}

}  // namespace farshore::broker
