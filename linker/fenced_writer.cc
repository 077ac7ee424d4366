#include "linker/fenced_writer.h"

#include <algorithm>

#include "proto/batch/builder.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::linker {
namespace {

using Code = kafka::ErrorCode;
constexpr int16_t kProduceByName = 12;  // the last version that names topics
constexpr int8_t kTopicResource = 2;
constexpr int16_t kDefaultReplication = -1;
constexpr int32_t kTimeoutMs = 10'000;

// The broker did nothing, and the same bytes may be accepted by another one, or a moment later.
bool refused_for_now(Code code) {
  switch (code) {
    case Code::kNotLeaderOrFollower:
    case Code::kLeaderNotAvailable:
    case Code::kUnknownTopicOrPartition:
    case Code::kNotEnoughReplicas:
    case Code::kFencedLeaderEpoch:
    case Code::kUnknownLeaderEpoch:
    case Code::kKafkaStorageError:
      return true;
    default:
      return false;
  }
}

// It may have been appended; only a retry of the same sequence tells.
bool in_doubt(Code code) {
  return code == Code::kRequestTimedOut || code == Code::kNotEnoughReplicasAfterAppend ||
         code == Code::kNetworkException || code == Code::kUnknownServerError;
}

Task<Result<bool>> create(kafka::ClusterClient& cluster, std::string name, int32_t partitions, Deadline deadline) {
  kafka::CreateTopicsRequest request;
  request.timeout_ms = kTimeoutMs;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = kDefaultReplication;
  for (const auto& [key, value] : {std::pair("cleanup.policy", "compact"), std::pair("compression.type", "producer")}) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), kafka::Repeat::kYes, deadline));
  for (const auto& each : response.topics) {
    const auto code = static_cast<Code>(each.error_code);
    if (code == Code::kNone || code == Code::kTopicAlreadyExists) continue;
    co_return kafka::to_error(code, "create topic " + name + ": " + each.error_message.value_or(""));
  }
  co_return true;
}

Task<Status> check_compacted(kafka::ClusterClient& cluster, std::string name, Deadline deadline) {
  kafka::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = name;
  std::vector<std::string> keys{"cleanup.policy"};
  resource.configuration_keys = std::move(keys);
  CO_TRY(auto response, co_await cluster.call_any(std::move(request), kafka::Repeat::kYes, deadline));
  for (const auto& result : response.results) {
    if (result.error_code != 0) co_return kafka::to_error(result.error_code, "configs of " + name);
    for (const auto& config : result.configs)
      if (config.name == "cleanup.policy" && config.value != "compact")
        co_return Error(ErrorCode::kConflict, "topic " + name + " has cleanup.policy=" + config.value.value_or("") +
                                                  ", so that records which matter would be deleted: set it to compact");
  }
  co_return ok();
}

}  // namespace

Task<Result<CompactedTopic>> ensure_compacted_topic(kafka::ClusterClient& cluster, std::string name,
                                                    int32_t partitions_min, Deadline deadline) {
  bool created = false;
  for (int attempt = 0;; ++attempt) {
    std::vector<std::string> names{name};
    CO_TRY(auto view, co_await cluster.refresh(std::move(names), deadline));
    auto it = view->topics.find(name);
    const Code code =
        it == view->topics.end() ? Code::kUnknownTopicOrPartition : static_cast<Code>(it->second.error_code);
    if (code == Code::kNone && !it->second.partitions.empty()) {
      CompactedTopic topic;
      topic.cluster_id = view->cluster_id;
      topic.name = name;
      topic.id = it->second.id;
      topic.partitions = static_cast<int32_t>(it->second.partitions.size());
      if (topic.partitions < partitions_min)
        co_return Error(ErrorCode::kConflict, "topic " + name + " has " + std::to_string(topic.partitions) +
                                                  " partitions and needs " + std::to_string(partitions_min) +
                                                  ": delete it if it is empty, and it is made as it should be");
      CO_CHECK(co_await check_compacted(cluster, name, deadline));
      co_return topic;
    }
    if (code == Code::kUnknownTopicOrPartition && !created) {
      CO_TRY(created, co_await create(cluster, name, partitions_min, deadline));
    } else if (code != Code::kNone && code != Code::kUnknownTopicOrPartition && !kafka::error_retriable(code)) {
      co_return kafka::to_error(code, "topic " + name);
    }
    CO_CHECK(co_await cluster.pause(attempt, deadline));  // made, and not known everywhere yet
  }
}

Task<Result<FencedWriter::Answer>> FencedWriter::attempt(ConstBytes batch, Deadline deadline) {
  TopicPartition partition = partition_;
  CO_TRY(auto leader, co_await cluster_.leader(std::move(partition), deadline));
  CO_TRY(auto client, co_await cluster_.broker(leader.broker, deadline));
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = kTimeoutMs;
  auto& topic = request.topic_data.emplace_back();
  topic.name = partition_.topic;
  auto& data = topic.partition_data.emplace_back();
  data.index = partition_.partition;
  data.records = kafka::Records::view(batch);
  Deadline until = std::min(deadline, env_.in(milliseconds(kTimeoutMs) + seconds(2)));
  CO_TRY(auto response, co_await client->call(std::move(request), until, kProduceByName));
  if (response.responses.empty() || response.responses.front().partition_responses.empty())
    co_return Error(ErrorCode::kUnavailable, "the answer does not speak of the partition");
  const auto& told = response.responses.front().partition_responses.front();
  Answer answer;
  answer.error_code = told.error_code;
  answer.base = Offset(told.base_offset);
  co_return answer;
}

Task<Result<Offset>> FencedWriter::append(std::vector<KeyedRecord> records, Deadline deadline) {
  auto guard = co_await turn_.lock();
  if (!usable()) co_return failure_;
  const std::string where = "write to " + partition_.topic + "-" + std::to_string(partition_.partition);
  BatchBuilder builder;
  builder.producer(owner_.id, owner_.epoch, sequence_);
  const int64_t now_ms = env_.wall_now().milliseconds_since_epoch;
  for (const KeyedRecord& record : records) {
    std::optional<std::string_view> value;
    if (record.value) value = *record.value;
    builder.add(now_ms, std::string_view(record.key), value);
  }
  const std::vector<std::byte> batch = builder.build();
  bool doubt = false;
  Error last;
  for (int tries = 0;; ++tries) {
    auto answer = co_await attempt(batch, deadline);
    if (answer) {
      const auto code = static_cast<Code>(answer->error_code);
      if (code == Code::kNone) {
        sequence_ += static_cast<int32_t>(records.size());
        co_return answer->base;
      }
      last = kafka::to_error(code, where);
      if (code == Code::kMessageTooLarge || code == Code::kRecordListTooLarge) {
        last.code = ErrorCode::kInvalidArgument;
        co_return last;  // nothing was appended: the sequence stays
      }
      if (last == ErrorCode::kFenced) break;
      doubt = doubt || in_doubt(code);
      if (!in_doubt(code) && !refused_for_now(code)) {
        // Also sequences that the target does not expect: it knows better than we do what is there.
        last.code = last.code == ErrorCode::kPermissionDenied ? last.code : ErrorCode::kAmbiguous;
        break;
      }
    } else {
      last = std::move(answer).error().in(where);
      doubt = true;
      if (last == ErrorCode::kClosed || last == ErrorCode::kNotFound || last == ErrorCode::kUnsupported) break;
    }
    cluster_.forget_leader(partition_);
    auto paused = co_await cluster_.pause(tries, deadline);
    if (!paused) {
      last.code = doubt ? ErrorCode::kAmbiguous : ErrorCode::kTimedOut;
      break;
    }
  }
  failure_ = last;
  co_return failure_;
}

}  // namespace farshore::linker
