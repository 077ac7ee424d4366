#include "proto/kafka/fake/fake_kafka.h"

#include <algorithm>

#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/incremental_alter_configs.h"
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {

FakeKafka::FakeKafka(Env& env, Endpoint at) : env_(env), at_(std::move(at)), appended_(env), gate_(env) {}
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

FakeKafka::Topic& FakeKafka::add_topic(const std::string& name, int32_t partitions) {
  Topic& topic = topics[name];
  topic.id.bytes[0] = 0x70;
  topic.id.bytes[15] = static_cast<uint8_t>(next_topic_++);
  topic.partitions.resize(static_cast<size_t>(partitions));
  return topic;
}

FakeKafka::Partition* FakeKafka::find(const std::string& topic, int32_t index) {
  auto it = topics.find(topic);
  if (it == topics.end() || index < 0 || static_cast<size_t>(index) >= it->second.partitions.size()) return nullptr;
  return &it->second.partitions[static_cast<size_t>(index)];
}

FakeKafka::Partition* FakeKafka::find(const std::string& topic, const Uuid& id, int32_t index) {
  if (id.is_zero()) return find(topic, index);
  for (const auto& [name, each] : topics) {
    if (each.id == id) return find(name, index);
  }
  return nullptr;
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
    (void)produce(call);
  }
}

Task<bool> FakeKafka::handle(Call& call) {
  if (call.key() != ApiVersionsRequest::kApiKey) call.begin();
  switch (call.key()) {
    case ApiVersionsRequest::kApiKey:
      api_versions(call);
      break;
    case MetadataRequest::kApiKey:
      metadata(call);
      break;
    case ProduceRequest::kApiKey:
      co_return produce(call);
    case FetchRequest::kApiKey:
      co_await fetch(call);
      break;
    case ListOffsetsRequest::kApiKey:
      list_offsets(call);
      break;
    case CreateTopicsRequest::kApiKey:
      create_topics(call);
      break;
    case DescribeConfigsRequest::kApiKey:
      describe_configs(call);
      break;
    case IncrementalAlterConfigsRequest::kApiKey:
      alter_configs(call);
      break;
    case DescribeProducersRequest::kApiKey:
      describe_producers(call);
      break;
    case FindCoordinatorRequest::kApiKey:
      find_coordinator(call);
      break;
    case OffsetForLeaderEpochRequest::kApiKey:
      offset_for_leader_epoch(call);
      break;
    case LinkStateRequest::kApiKey:
      link_state(call);
      break;
    case 22:
      init_producer_id(call);
      break;
    case 24:
      add_partitions(call);
      break;
    case 26:
      end_txn(call);
      break;
    default:
      co_return false;
  }
  co_return true;
}

void FakeKafka::api_versions(Call& call) {
  ApiVersionsResponse response;
  begin_response(call.out, *call.frame.api, call.version(), call.frame.header.correlation_id);
  for (const ApiInfo& api : apis()) {
    if (api.is_private) continue;
    auto& each = response.api_keys.emplace_back();
    each.api_key = api.key;
    each.min_version = api.min_version;
    each.max_version = api.key == ProduceRequest::kApiKey ? produce_version_max : api.max_version;
  }
  for (const PrivateApi& api : private_apis) {
    auto& each = response.api_keys.emplace_back();
    each.api_key = api.key;
    each.min_version = api.min_version;
    each.max_version = api.max_version;
  }
  response.encode(call.out, call.version());
}

void FakeKafka::metadata(Call& call) {
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
    auto& told = response.topics.emplace_back();
    told.name = name;
    auto it = topics.find(name);
    if (it == topics.end()) {
      told.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    told.topic_id = it->second.id;
    for (size_t i = 0; i < it->second.partitions.size(); ++i) {
      auto& partition = told.partitions.emplace_back();
      partition.partition_index = static_cast<int32_t>(i);
      partition.leader_id = 1;
      partition.leader_epoch = it->second.partitions[i].leader_epoch;
      partition.replica_nodes = partition.isr_nodes = {1};
    }
  }
  response.encode(call.out, call.version());
}

void FakeKafka::find_coordinator(Call& call) {
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
  response.encode(call.out, call.version());
}

}  // namespace farshore::kafka
