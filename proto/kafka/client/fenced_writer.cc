#include "proto/kafka/client/fenced_writer.h"

#include <algorithm>

#include "proto/batch/builder.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {
namespace {

using Ours = farshore::ErrorCode;
constexpr int16_t kProduceByName = 12;  // the last version that names topics
constexpr int32_t kProduceTimeoutMs = 10'000;

// The broker wrote nothing. Another broker, or the same one later, may accept the same bytes.
bool refused_for_now(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kLeaderNotAvailable:
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kUnknownLeaderEpoch:
    case ErrorCode::kKafkaStorageError:
      return true;
    default:
      return false;
  }
}

// The broker may have written the batch. Only a retry with the same sequence can tell.
bool in_doubt(ErrorCode code) {
  return code == ErrorCode::kRequestTimedOut || code == ErrorCode::kNotEnoughReplicasAfterAppend ||
         code == ErrorCode::kNetworkException || code == ErrorCode::kUnknownServerError;
}

}  // namespace

std::vector<std::byte> FencedWriter::batch_of(const std::vector<KeyedRecord>& records) {
  BatchBuilder builder;
  builder.producer(owner_.id, owner_.epoch, sequence_);
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (const KeyedRecord& record : records) {
    std::optional<std::string_view> value;
    if (record.value) value = *record.value;
    builder.add(now_ms, std::string_view(record.key), value);
  }
  return builder.build();
}

Task<Result<FencedWriter::Answer>> FencedWriter::attempt(ConstBytes batch, Deadline deadline) {
  TopicPartition partition = partition_;
  CO_TRY(auto leader, co_await cluster_.leader(std::move(partition), deadline));
  CO_TRY(auto client, co_await cluster_.broker(leader.broker, deadline));
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = kProduceTimeoutMs;
  auto& topic = request.topic_data.emplace_back();
  topic.name = partition_.topic;
  auto& data = topic.partition_data.emplace_back();
  data.index = partition_.partition;
  data.records = Records::view(batch);
  Deadline until = std::min(deadline, env_.in(milliseconds(kProduceTimeoutMs) + seconds(2)));
  CO_TRY(auto response, co_await client->call(std::move(request), until, kProduceByName));
  if (response.responses.empty() || response.responses.front().partition_responses.empty())
    co_return Error(Ours::kUnavailable, "the answer does not speak of the partition");
  const auto& result = response.responses.front().partition_responses.front();
  Answer answer;
  answer.error_code = result.error_code;
  answer.base = Offset(result.base_offset);
  co_return answer;
}

Task<Result<Offset>> FencedWriter::append(std::vector<KeyedRecord> records, Deadline deadline) {
  auto guard = co_await turn_.lock();
  if (!usable()) co_return failure_;
  const std::string where = "write to " + partition_.topic + "-" + std::to_string(partition_.partition);
  const std::vector<std::byte> batch = batch_of(records);
  bool doubt = false;
  Error last;
  for (int tries = 0;; ++tries) {
    auto answer = co_await attempt(batch, deadline);
    if (answer) {
      const auto code = static_cast<ErrorCode>(answer->error_code);
      if (code == ErrorCode::kNone) {
        sequence_ += static_cast<int32_t>(records.size());
        co_return answer->base;
      }
      last = to_error(code, where);
      if (code == ErrorCode::kMessageTooLarge || code == ErrorCode::kRecordListTooLarge) {
        last.code = Ours::kInvalidArgument;
        co_return last;  // nothing was written: the next batch uses this sequence
      }
      if (last == Ours::kFenced) break;
      doubt = doubt || in_doubt(code);
      if (!in_doubt(code) && !refused_for_now(code)) {
        // This includes a sequence that the broker does not expect: it knows better than we do what it wrote.
        last.code = last.code == Ours::kPermissionDenied ? last.code : Ours::kAmbiguous;
        break;
      }
    } else {
      last = std::move(answer).error().in(where);
      doubt = true;
      if (last == Ours::kClosed || last == Ours::kNotFound || last == Ours::kUnsupported) break;
    }
    cluster_.forget_leader(partition_);
    auto paused = co_await cluster_.pause(tries, deadline);
    if (!paused) {
      last.code = doubt ? Ours::kAmbiguous : Ours::kTimedOut;
      break;
    }
  }
  failure_ = last;
  co_return failure_;
}

}  // namespace farshore::kafka
