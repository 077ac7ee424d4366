// FakeKafka's partitions: Produce with Kafka's rules for idempotent producers, Fetch, offsets, what is remembered.
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

constexpr size_t kBatchesRemembered = 5;

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace

int16_t FakeKafka::append_checked(Partition& to, ConstBytes records, int64_t& base_offset) {
  auto parsed = BatchHeader::parse(records);
  if (!parsed || parsed->size_bytes() != records.size()) return wire(ErrorCode::kCorruptMessage);
  const BatchHeader header = *parsed;
  if (header.has_producer()) {
    ProducerState& state = to.producers[header.producer_id];
    for (const auto& known : state.recent)
      if (header.producer_epoch == state.epoch && known.first_sequence == header.base_sequence &&
          known.last_sequence == header.last_sequence()) {
        base_offset = known.base_offset;
        return 0;
      }
    if (header.producer_epoch < state.epoch) return wire(ErrorCode::kInvalidProducerEpoch);
    const bool known = state.epoch >= 0;
    const int32_t last = header.producer_epoch == state.epoch ? state.last_sequence : -1;
    if (known && header.base_sequence != last + 1) return wire(ErrorCode::kOutOfOrderSequenceNumber);
    if (header.producer_epoch != state.epoch) state.recent.clear();
    state.epoch = header.producer_epoch;
    state.last_sequence = header.last_sequence();
    state.recent.push_back({header.base_sequence, header.last_sequence(), to.end});
    if (state.recent.size() > kBatchesRemembered) state.recent.pop_front();
  }
  Batch batch;
  batch.header = header;
  batch.header.base_offset = base_offset = to.end;
  batch.header.partition_leader_epoch = to.leader_epoch;
  batch.bytes.assign(records.begin(), records.end());
  store_be(batch.bytes.data() + BatchField::kBaseOffset, batch.header.base_offset);
  store_be(batch.bytes.data() + BatchField::kPartitionLeaderEpoch, batch.header.partition_leader_epoch);
  to.end = batch.header.next().value();
  to.batches.push_back(std::move(batch));
  appended_.notify();
  return 0;
}

void FakeKafka::produce(Call& call) {
  auto request = call.decode<ProduceRequest>();
  ProduceResponse response;
  for (const auto& topic : request.topic_data) {
    std::string name = topic.name;
    for (const auto& [each, known] : topics)
      if (name.empty() && known.id == topic.topic_id) name = each;
    auto& told = response.responses.emplace_back();
    told.name = topic.name;
    told.topic_id = topic.topic_id;
    for (const auto& data : topic.partition_data) {
      auto& answer = told.partition_responses.emplace_back();
      answer.index = data.index;
      Partition* to = find(name, data.index);
      if (!to) {
        answer.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      answer.error_code = append_checked(*to, data.records.bytes(), answer.base_offset);
      if (answer.error_code != 0) answer.base_offset = -1;
      answer.log_start_offset = to->log_start;
    }
  }
  response.encode(call.out, call.version());
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
      std::string name = topic.topic;
      for (const auto& [each, known] : topics)
        if (name.empty() && known.id == topic.topic_id) name = each;
      auto& told = response.responses.emplace_back();
      told.topic = topic.topic;
      told.topic_id = topic.topic_id;
      for (const auto& asked : topic.partitions) {
        auto& answer = told.partitions.emplace_back();
        answer.partition_index = asked.partition;
        answer.aborted_transactions = std::nullopt;
        answer.records = Records::empty();
        answer.high_watermark = -1;
        const Partition* from = find(name, asked.partition);
        if (!from || asked.fetch_offset < from->log_start || asked.fetch_offset > from->end) {
          answer.error_code = wire(from ? ErrorCode::kOffsetOutOfRange : ErrorCode::kUnknownTopicOrPartition);
          error = true;
          continue;
        }
        answer.high_watermark = answer.last_stable_offset = from->end;
        answer.log_start_offset = from->log_start;
        auto& out = kept.emplace_back();
        for (const Batch& batch : from->batches) {
          if (batch.header.next().value() <= asked.fetch_offset) continue;
          const bool fits = out.size() + batch.bytes.size() <= static_cast<size_t>(asked.partition_max_bytes);
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
      // The largest epoch that is not above the one asked for, and where the next one begins.
      answer.end_offset = asked.leader_epoch >= from->leader_epoch ? from->end : from->log_start;
      if (asked.leader_epoch >= from->leader_epoch) answer.leader_epoch = from->leader_epoch;
      for (const Batch& batch : from->batches)
        if (asked.leader_epoch < from->leader_epoch && batch.header.partition_leader_epoch <= asked.leader_epoch) {
          answer.leader_epoch = batch.header.partition_leader_epoch;
          answer.end_offset = batch.header.next().value();
        }
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
