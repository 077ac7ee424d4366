#include "tests/simulation/source_user.h"

#include <array>

#include "proto/batch/builder.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/create_partitions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/delete_records.h"
#include "proto/kafka/messages/delete_topics.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/offset_commit.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::simulation {
namespace {

constexpr Duration kUserAnswerLimit = seconds(6);
constexpr int32_t kRequestTimeoutMs = 5000;
constexpr int32_t kPartitionsMade = 2, kPartitionsMax = 3;
constexpr uint64_t kKeys = 17;  // of the compacted topic

kafka::CreateTopicsRequest::CreatableTopic topic_of(const std::string& name) {
  kafka::CreateTopicsRequest::CreatableTopic topic;
  const auto set = [&topic](const char* key, const char* value) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  };
  topic.name = name;
  topic.num_partitions = kPartitionsMade;
  topic.replication_factor = -1;
  if (name == kCompactedTopic) {
    set("cleanup.policy", "compact");
    set("min.cleanable.dirty.ratio", "0.1");
    set("segment.bytes", "3000");
  }
  if (name == kTrimmedTopic) {
    set("retention.bytes", "8000");
    set("segment.bytes", "3000");
  }
  return topic;
}

Error told(int16_t code) {
  return {ErrorCode::kUnavailable,
          "the source answered " + std::string(kafka::error_name(static_cast<kafka::ErrorCode>(code)))};
}

}  // namespace

Task<void> SourceUser::run() {
  while (!stop_) {
    auto done = co_await step();
    if (!done) client_.reset();
    co_await env_.sleep(milliseconds(env_.random().between(5, 150)));
  }
  client_.reset();
  stopped_ = true;
}

Task<Status> SourceUser::connect() {
  if (client_) co_return ok();
  auto client = std::make_unique<broker::TestClient>(env_, kUserAnswerLimit);
  Endpoint to = to_;
  CO_CHECK(co_await client->connect(std::move(to)));
  client_ = std::move(client);
  co_return ok();
}

Task<Status> SourceUser::step() {
  Random& random = env_.random();
  std::string topic = kLifecycleTopics[random.below(std::size(kLifecycleTopics))];
  const uint64_t drawn = random.below(100);
  if (drawn < 3) co_return co_await remove(std::move(topic));
  if (drawn < 6) co_return co_await grow(std::move(topic));
  if (drawn < 12) co_return co_await trim(std::move(topic));
  if (drawn < 25) co_return co_await commit(std::move(topic));
  if (drawn < 35) co_return co_await make(std::move(topic));
  const auto partition = static_cast<int32_t>(random.below(kPartitionsMade));
  co_return co_await write_to(std::move(topic), partition);
}

Task<Status> SourceUser::make(std::string name) {
  CO_CHECK(co_await connect());
  kafka::CreateTopicsRequest request;
  request.topics.push_back(topic_of(name));
  request.timeout_ms = kRequestTimeoutMs;
  CO_TRY(auto response, co_await client_->call(std::move(request), 7));
  (void)response;  // it may exist
  co_return ok();
}

Task<Status> SourceUser::write(std::string topic) { co_return co_await write_to(std::move(topic), 0); }

Task<Status> SourceUser::write_to(std::string name, int32_t index) {
  CO_CHECK(co_await connect());
  BatchBuilder builder;
  const int64_t records = env_.random().between(1, 9);
  ++written_;
  const std::string value =
      std::to_string(written_) + std::string(static_cast<size_t>(env_.random().between(1, 400)), 'v');
  for (int64_t i = 0; i < records; ++i) {
    const uint64_t number = written_ + static_cast<uint64_t>(i);
    const std::string key = name + " " + std::to_string(name == kCompactedTopic ? number % kKeys : number);
    builder.add(env_.wall_now().milliseconds_since_epoch, key, value);
  }
  const auto bytes = builder.build();
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = kRequestTimeoutMs;
  auto& topic = request.topic_data.emplace_back();
  topic.name = name;
  auto& partition = topic.partition_data.emplace_back();
  partition.index = index;
  partition.records = kafka::Records::view(bytes);
  CO_TRY(auto response, co_await client_->call(std::move(request), 9));
  if (response.responses.empty() || response.responses[0].partition_responses.empty())
    co_return Error(ErrorCode::kCorrupt, "an answer about no partition");
  const auto& answer = response.responses[0].partition_responses[0];
  if (answer.error_code != 0) co_return told(answer.error_code);
  highest_ = std::max(highest_, answer.base_offset + records);
  co_return ok();
}

Task<Status> SourceUser::trim(std::string name) {
  CO_CHECK(co_await connect());
  kafka::DeleteRecordsRequest request;
  request.timeout_ms = kRequestTimeoutMs;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = static_cast<int32_t>(env_.random().below(kPartitionsMade));
  partition.offset =
      env_.random().between(0, std::max<int64_t>(highest_, 1));  // often inside a batch, or beyond the end
  CO_TRY(auto response, co_await client_->call(std::move(request), 2));
  (void)response;
  co_return ok();
}

Task<Status> SourceUser::grow(std::string name) {
  CO_CHECK(co_await connect());
  kafka::CreatePartitionsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.count = kPartitionsMax;
  request.timeout_ms = kRequestTimeoutMs;
  CO_TRY(auto response, co_await client_->call(std::move(request), 2));
  (void)response;
  co_return ok();
}

Task<Status> SourceUser::remove(std::string name) {
  CO_CHECK(co_await connect());
  kafka::DeleteTopicsRequest request;
  request.topic_names.push_back(name);
  request.timeout_ms = kRequestTimeoutMs;
  CO_TRY(auto response, co_await client_->call(std::move(request), 4));
  (void)response;
  co_return ok();
}

Task<Status> SourceUser::commit(std::string name) {
  CO_CHECK(co_await connect());
  const std::string group = kLifecycleGroups[env_.random().below(std::size(kLifecycleGroups))];
  kafka::FindCoordinatorRequest find;
  find.key = group;
  CO_TRY(auto found, co_await client_->call(std::move(find), 3));
  if (found.error_code != 0) co_return told(found.error_code);
  kafka::OffsetCommitRequest request;
  request.group_id = group;
  auto& to = request.topics.emplace_back();
  to.name = name;
  auto& at = to.partitions.emplace_back();
  at.partition_index = 0;
  at.committed_offset = env_.random().between(0, highest_);
  at.committed_metadata = "";
  CO_TRY(auto answer, co_await client_->call(std::move(request), 7));
  (void)answer;
  co_return ok();
}

}  // namespace farshore::simulation
