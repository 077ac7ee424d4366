#include "proto/kafka/fake/fake_kafka.h"

#include <algorithm>

#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/internal/link_state_api.h"
#include "proto/kafka/fake/internal/record_apis.h"
#include "proto/kafka/fake/internal/topic_apis.h"
#include "proto/kafka/fake/internal/transaction_apis.h"
#include "proto/kafka/messages/add_partitions_to_txn.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/describe_transactions.h"
#include "proto/kafka/messages/end_txn.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/init_producer_id.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {

namespace {

constexpr int32_t kWrongCorrelationId = 12345678;

}  // namespace

FakeKafka::FakeKafka(Env& env, Endpoint at)
    : env_(env),
      at_(std::move(at)),
      appended_(env),
      topic_apis_(std::make_unique<TopicApis>(*this)),
      record_apis_(std::make_unique<RecordApis>(env, *this, appended_)),
      transaction_apis_(std::make_unique<TransactionApis>(env, *this, appended_, gate_)),
      link_state_api_(std::make_unique<LinkStateApi>(*this)),
      gate_(env) {}
FakeKafka::~FakeKafka() = default;

Task<void> FakeKafka::run() {
  Endpoint at = at_;
  auto made = co_await env_.network().listen(std::move(at));
  ensure(made, "the test's address is free");
  listener_ = std::move(*made);
  while (!stopped_) {
    auto stream = co_await listener_->accept();
    if (stream) {
      spawn(gate_, "fake kafka connection", serve(std::move(*stream)));
    } else if (stream.error() == farshore::ErrorCode::kClosed) {
      break;
    } else {  // the simulated kernel is out of descriptors now and then
      co_await env_.sleep(milliseconds(10));
    }
  }
  co_await gate_.close();
}

void FakeKafka::stop() {
  stopped_ = true;
  if (listener_) listener_->close();
  for (auto& weak : streams_)
    if (auto stream = weak.lock()) stream->close();
  appended_.close();
}

int64_t FakeKafka::append(const std::string& topic, int32_t index, std::vector<std::byte> bytes) {
  const int64_t base = partition(topic, index).append(std::move(bytes));
  appended_.notify();
  return base;
}

Task<void> FakeKafka::serve(std::unique_ptr<Stream> owned) {
  std::shared_ptr<Stream> stream = std::move(owned);
  std::erase_if(streams_, [](const std::weak_ptr<Stream>& each) { return each.expired(); });
  streams_.push_back(stream);
  while (!stopped_) {
    auto frame = co_await read_frame(*stream, arena_, kFrameBytesMax, Deadline::never());
    if (!frame) co_return;
    Reader reader(frame->bytes());
    auto header = parse_request_header(reader);
    if (!header) co_return;
    ++requests[header->api->key];
    const Fate what = fate ? fate(header->api->key) : Fate::kAnswer;
    if (what == Fate::kLoseRequest) co_return;
    if (what == Fate::kHold) {
      held_.emplace_back(frame->bytes().begin(), frame->bytes().end());
      co_return;
    }
    if (what == Fate::kSilence) {
      while (!stopped_ && fate && fate(header->api->key) == Fate::kSilence) co_await env_.sleep(milliseconds(1));
      co_return;
    }
    Writer writer;
    Call call{*header, reader, writer};
    const bool answered = co_await handle(call);
    if (!answered || what == Fate::kLoseAnswer) co_return;
    if (env_.random().below(4) == 0) co_await env_.sleep(microseconds(env_.random().between(10, 3000)));
    if (what == Fate::kWrongId) writer.patch_i32(sizeof(int32_t), kWrongCorrelationId);
    auto message = finish_frame(writer);
    ensure(message, "a fake answers what can be encoded");
    auto written = co_await write_message(*stream, *message, Deadline::never());
    if (!written) co_return;
  }
}

void FakeKafka::release() {
  for (auto& frame : std::exchange(held_, {})) {
    Reader reader(frame);
    auto header = parse_request_header(reader);
    ensure(header && header->api->key == ProduceRequest::kApiKey, "only Produce requests are held back");
    Writer writer;
    Call call{*header, reader, writer};
    call.begin();
    (void)record_apis_->produce(call);
  }
}

Task<bool> FakeKafka::handle(Call& call) {
  if (call.key() == ApiVersionsRequest::kApiKey) co_return api_versions(call);
  call.begin();
  if (answer && answer(call)) co_return true;
  switch (call.key()) {
    case MetadataRequest::kApiKey:
      co_return metadata(call);
    case FindCoordinatorRequest::kApiKey:
      co_return find_coordinator(call);
    case ProduceRequest::kApiKey:
      co_return record_apis_->produce(call);
    case FetchRequest::kApiKey:
      co_await record_apis_->fetch(call);
      co_return true;
    case ListOffsetsRequest::kApiKey:
      record_apis_->list_offsets(call);
      co_return true;
    case OffsetForLeaderEpochRequest::kApiKey:
      record_apis_->offset_for_leader_epoch(call);
      co_return true;
    case DescribeProducersRequest::kApiKey:
      record_apis_->describe_producers(call);
      co_return true;
    case CreateTopicsRequest::kApiKey:
      topic_apis_->create_topics(call);
      co_return true;
    case DescribeConfigsRequest::kApiKey:
      topic_apis_->describe_configs(call);
      co_return true;
    case IncrementalAlterConfigsRequest::kApiKey:
      topic_apis_->alter_configs(call);
      co_return true;
    case InitProducerIdRequest::kApiKey:
      transaction_apis_->init_producer_id(call);
      co_return true;
    case AddPartitionsToTxnRequest::kApiKey:
      transaction_apis_->add_partitions(call);
      co_return true;
    case EndTxnRequest::kApiKey:
      transaction_apis_->end_txn(call);
      co_return true;
    case DescribeTransactionsRequest::kApiKey:
      transaction_apis_->describe_transactions(call);
      co_return true;
    case LinkStateRequest::kApiKey:
      link_state_api_->link_state(call);
      co_return true;
    default:
      co_return false;
  }
}

// KIP-511: a version that is too new is answered in version 0, with UNSUPPORTED_VERSION.
bool FakeKafka::api_versions(Call& call) {
  auto newest = [this](const ApiInfo& api) {
    auto it = version_max.find(api.key);
    return it == version_max.end() ? api.max_version : it->second;
  };
  ApiVersionsResponse response;
  int16_t version = call.version();
  if (version > newest(*call.frame.api)) {
    version = 0;
    response.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
  }
  begin_response(call.out, *call.frame.api, version, call.frame.header.correlation_id);
  for (const ApiInfo& api : apis()) {
    if (api.is_private) continue;
    auto& each = response.api_keys.emplace_back();
    each.api_key = api.key;
    each.min_version = api.min_version;
    each.max_version = newest(api);
  }
  for (const PrivateApi& api : private_apis) {
    auto& each = response.api_keys.emplace_back();
    each.api_key = api.key;
    each.min_version = api.min_version;
    each.max_version = api.max_version;
  }
  response.encode(call.out, version);
  return true;
}

bool FakeKafka::metadata(Call& call) {
  auto request = call.decode<MetadataRequest>();
  MetadataResponse response;
  auto& broker = response.brokers.emplace_back();
  broker.node_id = 1;
  broker.host = at_.host;
  broker.port = listener_->local().port;
  response.cluster_id = cluster_id;
  response.controller_id = 1;
  std::vector<std::string> wanted;
  if (request.topics) {
    for (const auto& each : *request.topics) wanted.push_back(each.name.value_or(""));
  } else {
    for (const auto& [name, topic] : topics) wanted.push_back(name);
  }
  for (const std::string& name : wanted) {
    auto& result = response.topics.emplace_back();
    result.name = name;
    auto it = topics.find(name);
    if (it == topics.end()) {
      result.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    result.topic_id = it->second.id;
    for (size_t i = 0; i < it->second.partitions.size(); ++i) {
      auto& partition = result.partitions.emplace_back();
      partition.partition_index = static_cast<int32_t>(i);
      partition.leader_id = 1;
      partition.leader_epoch = it->second.partitions[i].leader_epoch;
      partition.replica_nodes = partition.isr_nodes = {1};
      if (!it->second.partitions[i].offline) continue;
      partition.error_code = static_cast<int16_t>(ErrorCode::kLeaderNotAvailable);
      partition.leader_id = -1;
    }
  }
  call.reply(response);
  return true;
}

bool FakeKafka::find_coordinator(Call& call) {
  auto request = call.decode<FindCoordinatorRequest>();
  FindCoordinatorResponse response;
  response.node_id = 1;
  if (call.version() < 4) {
    response.host = at_.host;
    response.port = listener_->local().port;
  } else {
    response.node_id = 0;
    for (const std::string& key : request.coordinator_keys) {
      auto& each = response.coordinators.emplace_back();
      each.key = key;
      each.node_id = 1;
      each.host = at_.host;
      each.port = listener_->local().port;
    }
  }
  call.reply(response);
  return true;
}

}  // namespace farshore::kafka
