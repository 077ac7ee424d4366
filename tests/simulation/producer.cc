#include "tests/simulation/producer.h"

#include "proto/batch/builder.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/init_producer_id.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::simulation {
namespace {

constexpr Duration kAnswerLimit = seconds(6);
constexpr int64_t kValueBytesMax = 1500;

constexpr int16_t code(kafka::ErrorCode error) { return static_cast<int16_t>(error); }

}  // namespace

Task<void> Producer::run() {
  while (!stop_) {
    auto done = co_await send();
    if (!done) {  // whatever it was: a new connection, and once more
      client_.reset();
      if (!idempotent_) pending_.reset();
      co_await env_.sleep(milliseconds(env_.random().between(20, 300)));
    } else {
      co_await env_.sleep(milliseconds(env_.random().between(5, 80)));
    }
  }
  client_.reset();
  stopped_ = true;
}

Task<Status> Producer::connect() {
  if (client_) co_return ok();
  auto client = std::make_unique<broker::TestClient>(env_, kAnswerLimit);
  Endpoint to = to_;
  CO_CHECK(co_await client->connect(std::move(to)));
  client_ = std::move(client);
  co_return ok();
}

Task<Status> Producer::make_topic() {
  if (topic_made_) co_return ok();
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  topic.num_partitions = kPartitions;
  topic.replication_factor = -1;
  request.timeout_ms = 5000;
  CO_TRY(auto response, co_await client_->call(std::move(request), 7));
  if (response.topics.size() != 1) co_return Error(ErrorCode::kCorrupt, "an answer about no topic");
  const int16_t error = response.topics[0].error_code;
  topic_made_ = error == 0 || error == code(kafka::ErrorCode::kTopicAlreadyExists);
  if (!topic_made_) co_return Error(ErrorCode::kUnavailable, "the topic was not made");
  co_return ok();
}

Task<Status> Producer::take_producer_id() {
  if (!idempotent_ || producer_id_ >= 0) co_return ok();
  kafka::InitProducerIdRequest request;
  request.transactional_id.reset();
  request.transaction_timeout_ms = 60'000;
  CO_TRY(auto response, co_await client_->call(std::move(request), 3));
  if (response.error_code != 0) co_return Error(ErrorCode::kUnavailable, "no producer id");
  producer_id_ = response.producer_id;
  producer_epoch_ = response.producer_epoch;
  history_.producer_id(producer_id_);
  co_return ok();
}

void Producer::draw() {
  pending_ = std::make_unique<Batch>();
  pending_->partition = static_cast<int32_t>(env_.random().below(kPartitions));
  pending_->records = static_cast<int32_t>(env_.random().between(1, 5));
  BatchBuilder builder;
  if (idempotent_) builder.producer(producer_id_, producer_epoch_, next_sequence_[pending_->partition]);
  const std::string key = std::string(idempotent_ ? "idempotent " : "plain ") + std::to_string(++drawn_);
  const std::string value(static_cast<size_t>(env_.random().between(1, kValueBytesMax)), 'v');
  for (int32_t i = 0; i < pending_->records; ++i) builder.add(env_.wall_now().milliseconds_since_epoch, key, value);
  pending_->bytes = builder.build();
  pending_->crc = load_be<uint32_t>(pending_->bytes.data() + BatchField::kCrc);
  history_.sent(pending_->partition, pending_->crc);
}

void Producer::forget_producer_id() {
  producer_id_ = -1;
  next_sequence_.clear();
  pending_.reset();
}

Task<Status> Producer::send() {
  CO_CHECK(co_await connect());
  CO_CHECK(co_await make_topic());
  CO_CHECK(co_await take_producer_id());
  if (!pending_) draw();
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 5000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = kTopic;
  auto& partition = topic.partition_data.emplace_back();
  partition.index = pending_->partition;
  partition.records = kafka::Records::view(pending_->bytes);
  CO_TRY(auto response, co_await client_->call(std::move(request), 9));
  if (response.responses.empty() || response.responses[0].partition_responses.empty())
    co_return Error(ErrorCode::kCorrupt, "an answer about no partition");
  const auto& answer = response.responses[0].partition_responses[0];
  if (answer.error_code == 0) {
    history_.acknowledged(pending_->partition, answer.base_offset, pending_->crc);
    if (idempotent_) next_sequence_[pending_->partition] += pending_->records;
    pending_.reset();
    co_return ok();
  }
  const int16_t error = answer.error_code;
  if (error == code(kafka::ErrorCode::kOutOfOrderSequenceNumber) ||
      error == code(kafka::ErrorCode::kDuplicateSequenceNumber) ||
      error == code(kafka::ErrorCode::kUnknownProducerId) || error == code(kafka::ErrorCode::kInvalidProducerEpoch)) {
    if (!may_lose_)
      history_.violation("an idempotent producer that did nothing wrong was refused with error " +
                         std::to_string(error));
    forget_producer_id();
  }
  co_return Error(ErrorCode::kUnavailable, "error " + std::to_string(error));
}

}  // namespace farshore::simulation
