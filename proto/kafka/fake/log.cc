// FakeKafka's answers about partitions: Produce, Fetch, offsets, what is remembered.
#include <algorithm>

#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/fetch.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "proto/kafka/messages/produce.h"

namespace farshore::kafka {

namespace {

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace

bool FakeKafka::produce(Call& call) {
  auto request = call.decode<ProduceRequest>();
  ProduceResponse response;
  const auto refusal = std::exchange(refuse_next_produce, std::nullopt);
  for (const auto& topic : request.topic_data) {
    auto& told = response.responses.emplace_back();
    told.name = topic.name;
    told.topic_id = topic.topic_id;
    for (const auto& data : topic.partition_data) {
      auto& answer = told.partition_responses.emplace_back();
      answer.index = data.index;
      answer.base_offset = -1;
      Partition* to = find(topic.name, topic.topic_id, data.index);
      if (!to || refusal) {
        answer.error_code = wire(to ? *refusal : ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      if (happens(chances.foreign)) to->write_foreign(now_ms());
      const Partition::Produced produced = to->produce(data.records.bytes());
      answer.error_code = wire(produced.code);
      answer.base_offset = produced.base;
      answer.log_start_offset = to->log_start;
    }
  }
  appended_.notify();
  response.encode(call.out, call.version());
  return !happens(chances.drop_ack);
}

Task<void> FakeKafka::fetch(Call& call) {
  auto request = call.decode<FetchRequest>();
  const Deadline until = env_.in(milliseconds(request.max_wait_ms));
  for (;;) {
    FetchResponse response;
    std::vector<std::vector<std::byte>> kept;  // what the views of `response` show
    size_t bytes = 0;
    bool error = false;
    for (const auto& topic : request.topics) {
      auto& told = response.responses.emplace_back();
      told.topic = topic.topic;
      told.topic_id = topic.topic_id;
      for (const auto& asked : topic.partitions) {
        auto& answer = told.partitions.emplace_back();
        answer.partition_index = asked.partition;
        answer.aborted_transactions = std::nullopt;
        answer.records = Records::empty();
        answer.high_watermark = -1;
        const Partition* from = find(topic.topic, topic.topic_id, asked.partition);
        if (from && asked.last_fetched_epoch >= 0) {  // KIP-595
          const Partition::EpochEnd found = from->end_of_epoch(asked.last_fetched_epoch);
          if (found.end >= 0 && (found.epoch < asked.last_fetched_epoch || found.end < asked.fetch_offset)) {
            answer.high_watermark = from->end;
            answer.diverging_epoch.epoch = found.epoch;
            answer.diverging_epoch.end_offset = found.end;
            error = true;
            continue;
          }
        }
        if (!from || asked.fetch_offset < from->log_start || asked.fetch_offset > from->end) {
          answer.error_code = wire(from ? ErrorCode::kOffsetOutOfRange : ErrorCode::kUnknownTopicOrPartition);
          error = true;
          continue;
        }
        answer.high_watermark = answer.last_stable_offset = from->end;
        answer.log_start_offset = from->log_start;
        auto& out = kept.emplace_back();
        int64_t bytes_max = asked.partition_max_bytes;
        if (short_fetch_bytes_max > 0) bytes_max = std::min(bytes_max, env_.random().between(1, short_fetch_bytes_max));
        for (const Partition::Stored& batch : from->log) {
          if (batch.header.next().value() <= asked.fetch_offset) continue;
          const bool fits = out.size() + batch.bytes.size() <= static_cast<size_t>(bytes_max);
          if (!fits && bytes + out.size() > 0) break;
          out.insert(out.end(), batch.bytes.begin(), batch.bytes.end());
        }
        bytes += out.size();
        answer.records = Records::view(out);
      }
    }
    if (bytes == 0 && !error && !stopped_ && !until.passed(env_.now())) {
      (void)co_await appended_.wait(until);
      continue;
    }
    response.encode(call.out, call.version());
    co_return;
  }
}

void FakeKafka::list_offsets(Call& call) {
  auto request = call.decode<ListOffsetsRequest>();
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& answer = told.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      if (const Partition* from = find(topic.name, asked.partition_index)) {
        answer.offset = asked.timestamp == -2 ? from->log_start : from->end;
        answer.leader_epoch = from->leader_epoch;
      } else {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
      }
    }
  }
  response.encode(call.out, call.version());
}

void FakeKafka::offset_for_leader_epoch(Call& call) {
  auto request = call.decode<OffsetForLeaderEpochRequest>();
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      auto& answer = told.partitions.emplace_back();
      answer.partition = asked.partition;
      const Partition* from = find(topic.topic, asked.partition);
      if (!from) {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      const Partition::EpochEnd found = from->end_of_epoch(asked.leader_epoch);
      answer.leader_epoch = found.epoch;
      answer.end_offset = found.end;
    }
  }
  response.encode(call.out, call.version());
}

void FakeKafka::describe_producers(Call& call) {
  auto request = call.decode<DescribeProducersRequest>();
  DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (int32_t index : topic.partition_indexes) {
      auto& answer = told.partitions.emplace_back();
      answer.partition_index = index;
      const Partition* from = find(topic.name, index);
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
  response.encode(call.out, call.version());
}

}  // namespace farshore::kafka
