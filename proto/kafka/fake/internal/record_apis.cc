#include "proto/kafka/fake/internal/record_apis.h"

#include <algorithm>

#include "proto/kafka/fake/internal/wire_code.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {

bool RecordApis::produce(FakeCall& call) {
  auto request = call.decode<ProduceRequest>();
  ProduceResponse response;
  const auto refusal = std::exchange(cluster_.refuse_next_produce, std::nullopt);
  for (const auto& topic : request.topic_data) {
    auto& result = response.responses.emplace_back();
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    for (const auto& data : topic.partition_data) {
      auto& answer = result.partition_responses.emplace_back();
      answer.index = data.index;
      answer.base_offset = -1;
      FakePartition* to = cluster_.find(topic.name, topic.topic_id, data.index);
      if (!to || refusal) {
        answer.error_code = wire(to ? *refusal : ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      if (happens(cluster_.chances.foreign)) to->write_foreign(env_.wall_now().milliseconds_since_epoch);
      const FakePartition::Produced produced = to->produce(data.records.bytes());
      answer.error_code = wire(produced.code);
      answer.base_offset = produced.base;
      answer.log_start_offset = to->log_start;
    }
  }
  appended_.notify();
  call.reply(response);
  return !happens(cluster_.chances.drop_ack);
}

bool RecordApis::read(const FakePartition* from, const Asked& asked, size_t bytes_before, Answer& answer,
                      std::vector<std::byte>& out) {
  answer.partition_index = asked.partition;
  answer.aborted_transactions = std::nullopt;
  answer.records = Records::empty();
  answer.high_watermark = -1;
  if (from && asked.last_fetched_epoch >= 0) {  // KIP-595
    const FakePartition::EpochEnd found = from->end_of_epoch(asked.last_fetched_epoch);
    if (found.end >= 0 && (found.epoch < asked.last_fetched_epoch || found.end < asked.fetch_offset)) {
      answer.high_watermark = from->end;
      answer.diverging_epoch.epoch = found.epoch;
      answer.diverging_epoch.end_offset = found.end;
      return false;
    }
  }
  if (!from || asked.fetch_offset < from->log_start || asked.fetch_offset > from->end) {
    answer.error_code = wire(from ? ErrorCode::kOffsetOutOfRange : ErrorCode::kUnknownTopicOrPartition);
    return false;
  }
  answer.high_watermark = answer.last_stable_offset = from->end;
  answer.log_start_offset = from->log_start;
  int64_t bytes_max = asked.partition_max_bytes;
  const int64_t short_max = cluster_.short_fetch_bytes_max;
  if (short_max > 0) bytes_max = std::min(bytes_max, env_.random().between(1, short_max));
  for (const FakePartition::Stored& batch : from->log) {
    if (batch.header.next().value() <= asked.fetch_offset) continue;
    const bool fits = out.size() + batch.bytes.size() <= static_cast<size_t>(bytes_max);
    if (!fits && bytes_before + out.size() > 0) break;
    out.insert(out.end(), batch.bytes.begin(), batch.bytes.end());
  }
  return true;
}

Task<void> RecordApis::fetch(FakeCall& call) {
  auto request = call.decode<FetchRequest>();
  const Deadline until = env_.in(milliseconds(request.max_wait_ms));
  for (;;) {
    FetchResponse response;
    std::vector<std::vector<std::byte>> kept;  // the bytes behind the views in `response`
    size_t bytes = 0;
    bool complete = true;
    for (const auto& topic : request.topics) {
      auto& result = response.responses.emplace_back();
      result.topic = topic.topic;
      result.topic_id = topic.topic_id;
      for (const Asked& asked : topic.partitions) {
        Answer& answer = result.partitions.emplace_back();
        std::vector<std::byte> out;
        if (!read(cluster_.find(topic.topic, topic.topic_id, asked.partition), asked, bytes, answer, out)) {
          complete = false;
          continue;
        }
        bytes += out.size();
        kept.push_back(std::move(out));
        answer.records = Records::view(kept.back());
      }
    }
    if (bytes == 0 && complete && !until.passed(env_.now())) {
      auto woken = co_await appended_.wait(until);
      if (woken || woken.error() != farshore::ErrorCode::kClosed) continue;
    }
    call.reply(response);
    co_return;
  }
}

void RecordApis::list_offsets(FakeCall& call) {
  auto request = call.decode<ListOffsetsRequest>();
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& answer = result.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      if (const FakePartition* from = cluster_.find(topic.name, asked.partition_index)) {
        answer.offset = asked.timestamp == -2 ? from->log_start : from->end;
        answer.leader_epoch = from->leader_epoch;
      } else {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
      }
    }
  }
  call.reply(response);
}

void RecordApis::offset_for_leader_epoch(FakeCall& call) {
  auto request = call.decode<OffsetForLeaderEpochRequest>();
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      auto& answer = result.partitions.emplace_back();
      answer.partition = asked.partition;
      const FakePartition* from = cluster_.find(topic.topic, asked.partition);
      if (!from) {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      const FakePartition::EpochEnd found = from->end_of_epoch(asked.leader_epoch);
      answer.leader_epoch = found.epoch;
      answer.end_offset = found.end;
    }
  }
  call.reply(response);
}

void RecordApis::describe_producers(FakeCall& call) {
  auto request = call.decode<DescribeProducersRequest>();
  DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = topic.name;
    for (int32_t index : topic.partition_indexes) {
      auto& answer = result.partitions.emplace_back();
      answer.partition_index = index;
      const FakePartition* from = cluster_.find(topic.name, index);
      if (!from) {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      for (const auto& [id, state] : from->producers) {
        auto& producer = answer.active_producers.emplace_back();
        producer.producer_id = id;
        producer.producer_epoch = state.epoch;
        producer.last_sequence = state.last_sequence;
      }
    }
  }
  call.reply(response);
}

}  // namespace farshore::kafka
